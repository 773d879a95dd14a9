-- The mailbox is looked through first, by its own index, and its messages fetched one by one: no plan walks past what was read.
-- Each round trip counts: what belongs together is one statement, whose parts all see what was there before it.

-- name: add
WITH added AS (
  INSERT INTO messages (conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest)
  VALUES (:conversation_id, :id, :sender, :action_type, :body, :size, :at, :reply_to, :idempotency_key, :digest)),
delivered AS (
  INSERT INTO deliveries (conversation_id, recipient, message_id)
  SELECT :conversation_id, unnest(:recipients::text[]), :id)
UPDATE sessions SET unread = unread + 1
WHERE conversation_id = :conversation_id AND id = ANY (:recipients::text[]);

-- One send: the message as by `add`, its conversation counted, its sender's heartbeat kept and its bucket charged. No
-- row: somebody changed one of them meanwhile.

-- name: send
WITH counted AS (
  UPDATE conversations SET last_message = :id::bigint, messages = messages + 1, bytes = bytes + :counted
  WHERE id = :conversation_id AND last_message = :id - 1 RETURNING id),
charged AS (
  UPDATE buckets SET t1 = :t1, t2 = :t2, t3 = :t3 WHERE key = :key AND t1 = :was1 AND t2 = :was2 AND t3 = :was3 RETURNING key),
added AS (
  INSERT INTO messages (conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest)
  VALUES (:conversation_id, :id, :sender, :action_type, :body, :size, :at, :reply_to, :idempotency_key, :digest)),
delivered AS (
  INSERT INTO deliveries (conversation_id, recipient, message_id)
  SELECT :conversation_id, unnest(:recipients::text[]), :id),
told AS (
  UPDATE sessions SET unread = unread + CASE WHEN id = ANY (:recipients::text[]) THEN 1 ELSE 0 END,
    last_heartbeat = CASE WHEN id = :beating THEN :beat_at ELSE last_heartbeat END,
    status = CASE WHEN id = :beating AND status = 'unknown' THEN 'working' ELSE status END
  WHERE conversation_id = :conversation_id AND id = ANY (:recipients::text[] || :beating::text))
SELECT id FROM counted WHERE :key::text IS NULL OR EXISTS (SELECT FROM charged);

-- name: claim
WITH handed AS (
  SELECT count(*) AS n FROM deliveries
  WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND claim IS NULL
    AND message_id = ANY (:ids::bigint[])),
claimed AS (
  UPDATE deliveries SET claim = :claim, claimed_at = :now
  WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL
    AND message_id = ANY (:ids::bigint[]))
UPDATE sessions SET unread = unread - handed.n FROM handed WHERE conversation_id = :conversation_id AND id = :recipient;

-- name: by_key
SELECT conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest FROM messages
WHERE conversation_id = :conversation_id AND sender = :sender AND idempotency_key = :idempotency_key;

-- name: get
SELECT conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest FROM messages
WHERE conversation_id = :conversation_id AND id = :id;

-- name: unread
WITH found AS MATERIALIZED (
  SELECT d.message_id FROM deliveries AS d
  WHERE d.conversation_id = :conversation_id AND d.recipient = :recipient AND d.read_at IS NULL
    AND (d.claim IS NULL OR d.claimed_at < :stale_before)
  ORDER BY d.message_id LIMIT :limit)
SELECT m.conversation_id, m.id, m.sender, m.action_type, m.body, m.size, m.at, m.reply_to, m.idempotency_key, m.digest
FROM found CROSS JOIN LATERAL (
  SELECT * FROM messages WHERE conversation_id = :conversation_id AND id = found.message_id OFFSET 0) AS m
ORDER BY m.id;

-- name: shown
UPDATE deliveries SET claimed_at = :now
WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND claim IS NULL
  AND message_id = ANY (:ids::bigint[]);

-- name: confirm
UPDATE deliveries SET read_at = :now, claim = NULL, claimed_at = NULL WHERE claim = :claim;

-- name: count_released
UPDATE sessions SET unread = unread + released.n
FROM (SELECT conversation_id AS c, recipient AS r, count(*) AS n FROM deliveries
      WHERE claim = :claim GROUP BY conversation_id, recipient) AS released
WHERE conversation_id = released.c AND id = released.r;

-- name: release
UPDATE deliveries SET claim = NULL, claimed_at = NULL WHERE claim = :claim;

-- name: count_released_owner
UPDATE sessions SET unread = unread + released.n
FROM (SELECT conversation_id AS c, recipient AS r, count(*) AS n FROM deliveries
      WHERE claim >= :owner::text || ':' AND claim < :owner::text || ';' GROUP BY conversation_id, recipient) AS released
WHERE conversation_id = released.c AND id = released.r;

-- name: release_owner
UPDATE deliveries SET claim = NULL, claimed_at = NULL WHERE claim >= :owner::text || ':' AND claim < :owner::text || ';';

-- name: unconfirm
UPDATE deliveries SET read_at = NULL
WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NOT NULL
  AND message_id = ANY (:ids::bigint[]);

-- name: count_unconfirmed
UPDATE sessions SET unread = unread + :count::bigint WHERE conversation_id = :conversation_id AND id = :recipient;

-- name: count_acknowledged
UPDATE sessions SET unread = unread - (
  SELECT count(*) FROM deliveries
  WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND claim IS NULL
    AND message_id <= :through)
WHERE conversation_id = :conversation_id AND id = :recipient;

-- name: acknowledge
UPDATE deliveries SET read_at = :now, claim = NULL, claimed_at = NULL
WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND message_id <= :through;

-- name: history
WITH found AS MATERIALIZED (
  SELECT d.message_id FROM deliveries AS d
  WHERE d.conversation_id = :conversation_id AND d.recipient = :recipient AND d.read_at IS NOT NULL
    AND d.message_id < :before
  ORDER BY d.message_id DESC LIMIT :limit)
SELECT m.conversation_id, m.id, m.sender, m.action_type, m.body, m.size, m.at, m.reply_to, m.idempotency_key, m.digest
FROM found CROSS JOIN LATERAL (
  SELECT * FROM messages WHERE conversation_id = :conversation_id AND id = found.message_id OFFSET 0) AS m
ORDER BY m.id DESC;

-- name: received
WITH found AS MATERIALIZED (
  SELECT d.message_id FROM deliveries AS d
  WHERE d.conversation_id = :conversation_id AND d.recipient = :recipient AND d.message_id < :before
  ORDER BY d.message_id DESC LIMIT :limit)
SELECT m.conversation_id, m.id, m.sender, m.action_type, m.body, m.size, m.at, m.reply_to, m.idempotency_key, m.digest
FROM found CROSS JOIN LATERAL (
  SELECT * FROM messages WHERE conversation_id = :conversation_id AND id = found.message_id OFFSET 0) AS m
ORDER BY m.id DESC;

-- name: list
SELECT conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest FROM messages
WHERE conversation_id = :conversation_id AND id > :after ORDER BY id LIMIT :limit;

-- name: newest
SELECT conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest FROM messages
WHERE conversation_id = :conversation_id AND id < :before ORDER BY id DESC LIMIT :limit;

-- name: deliveries
SELECT d.message_id, d.recipient, d.read_at, d.claimed_at IS NOT NULL FROM sessions AS s
JOIN deliveries AS d
  ON d.conversation_id = s.conversation_id AND d.recipient = s.id AND d.message_id = :message_id
WHERE s.conversation_id = :conversation_id ORDER BY s.seq;

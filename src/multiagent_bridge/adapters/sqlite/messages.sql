-- The pending index is named because without statistics SQLite may prefer the primary key, which walks past everything read.

-- name: add
INSERT INTO messages (conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest)
VALUES (:conversation_id, :id, :sender, :action_type, :body, :size, :at, :reply_to, :idempotency_key, :digest);

-- name: deliver
INSERT INTO deliveries (conversation_id, recipient, message_id)
SELECT :conversation_id, value, :id FROM json_each(:recipients);

-- name: count_delivered
UPDATE sessions SET unread = unread + 1
WHERE conversation_id = :conversation_id AND id IN (SELECT value FROM json_each(:recipients));

-- name: deliver_one
INSERT INTO deliveries (conversation_id, recipient, message_id) VALUES (:conversation_id, :recipient, :id);

-- name: count_delivered_one
UPDATE sessions SET unread = unread + 1 WHERE conversation_id = :conversation_id AND id = :recipient;

-- name: by_key
SELECT conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest FROM messages
WHERE conversation_id = :conversation_id AND sender = :sender AND idempotency_key = :idempotency_key;

-- name: get
SELECT conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest FROM messages
WHERE conversation_id = :conversation_id AND id = :id;

-- name: unread
SELECT m.conversation_id, m.id, m.sender, m.action_type, m.body, m.size, m.at, m.reply_to, m.idempotency_key, m.digest
FROM deliveries AS d INDEXED BY deliveries_pending
CROSS JOIN messages AS m ON m.conversation_id = d.conversation_id AND m.id = d.message_id
WHERE d.conversation_id = :conversation_id AND d.recipient = :recipient AND d.read_at IS NULL
  AND (d.claim IS NULL OR d.claimed_at < :stale_before)
ORDER BY d.message_id LIMIT :limit;

-- name: count_claimed
UPDATE sessions SET unread = unread - (
  SELECT count(*) FROM deliveries
  WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND claim IS NULL
    AND message_id IN (SELECT value FROM json_each(:ids)))
WHERE conversation_id = :conversation_id AND id = :recipient;

-- name: claim
UPDATE deliveries SET claim = :claim, claimed_at = :now
WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL
  AND message_id IN (SELECT value FROM json_each(:ids));

-- name: count_claimed_one
UPDATE sessions SET unread = unread - (
  SELECT count(*) FROM deliveries
  WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND claim IS NULL
    AND message_id = :id)
WHERE conversation_id = :conversation_id AND id = :recipient;

-- name: claim_one
UPDATE deliveries SET claim = :claim, claimed_at = :now
WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND message_id = :id;

-- name: shown
UPDATE deliveries SET claimed_at = :now
WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND claim IS NULL
  AND message_id IN (SELECT value FROM json_each(:ids));

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
      WHERE claim >= :owner || ':' AND claim < :owner || ';' GROUP BY conversation_id, recipient) AS released
WHERE conversation_id = released.c AND id = released.r;

-- name: release_owner
UPDATE deliveries SET claim = NULL, claimed_at = NULL WHERE claim >= :owner || ':' AND claim < :owner || ';';

-- name: unconfirm
UPDATE deliveries SET read_at = NULL
WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NOT NULL
  AND message_id IN (SELECT value FROM json_each(:ids));

-- name: count_unconfirmed
UPDATE sessions SET unread = unread + :count WHERE conversation_id = :conversation_id AND id = :recipient;

-- name: count_acknowledged
UPDATE sessions SET unread = unread - (
  SELECT count(*) FROM deliveries INDEXED BY deliveries_pending
  WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND claim IS NULL
    AND message_id <= :through)
WHERE conversation_id = :conversation_id AND id = :recipient;

-- name: acknowledge
UPDATE deliveries INDEXED BY deliveries_pending SET read_at = :now, claim = NULL, claimed_at = NULL
WHERE conversation_id = :conversation_id AND recipient = :recipient AND read_at IS NULL AND message_id <= :through;

-- name: history
SELECT m.conversation_id, m.id, m.sender, m.action_type, m.body, m.size, m.at, m.reply_to, m.idempotency_key, m.digest
FROM deliveries AS d
CROSS JOIN messages AS m ON m.conversation_id = d.conversation_id AND m.id = d.message_id
WHERE d.conversation_id = :conversation_id AND d.recipient = :recipient AND d.read_at IS NOT NULL
  AND d.message_id < :before
ORDER BY d.message_id DESC LIMIT :limit;

-- name: received
SELECT m.conversation_id, m.id, m.sender, m.action_type, m.body, m.size, m.at, m.reply_to, m.idempotency_key, m.digest
FROM deliveries AS d
CROSS JOIN messages AS m ON m.conversation_id = d.conversation_id AND m.id = d.message_id
WHERE d.conversation_id = :conversation_id AND d.recipient = :recipient AND d.message_id < :before
ORDER BY d.message_id DESC LIMIT :limit;

-- name: list
SELECT conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest FROM messages
WHERE conversation_id = :conversation_id AND id > :after ORDER BY id LIMIT :limit;

-- name: newest
SELECT conversation_id, id, sender, action_type, body, size, at, reply_to, idempotency_key, digest FROM messages
WHERE conversation_id = :conversation_id AND id < :before ORDER BY id DESC LIMIT :limit;

-- name: deliveries
SELECT d.message_id, d.recipient, d.read_at, d.claimed_at IS NOT NULL FROM sessions AS s
CROSS JOIN deliveries AS d
  ON d.conversation_id = s.conversation_id AND d.recipient = s.id AND d.message_id = :message_id
WHERE s.conversation_id = :conversation_id ORDER BY s.seq;

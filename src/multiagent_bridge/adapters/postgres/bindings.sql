-- name: bind
INSERT INTO bindings (agent, conversation_id, session_id, generation, bound_at)
VALUES (:agent, :conversation_id, :session_id, :generation, :bound_at)
ON CONFLICT (agent, conversation_id, session_id) DO UPDATE SET
  seq = DEFAULT, generation = excluded.generation, bound_at = excluded.bound_at;

-- Whoever asks for its bindings asks for their conversations, sessions and buckets next: each round trip counts. With its only
-- binding come all sessions of the conversation, with one of several its own session. A bucket's key begins with its session.

-- name: of
SELECT b.agent, b.conversation_id, b.session_id, b.generation, b.bound_at,
  c.id, c.created_at, c.expires_at, c.sealed_key, c.last_message, c.messages, c.bytes,
  s.conversation_id, s.id, s.role, s.generation, s.revoked, s.status, s.sealed_note, s.last_heartbeat, s.unread,
  held.alone, spent.keys, spent.t1, spent.t2, spent.t3
FROM (SELECT count(*) = 1 AS alone FROM bindings WHERE agent = :agent) AS held
JOIN bindings AS b ON b.agent = :agent
JOIN sessions AS bound ON bound.conversation_id = b.conversation_id AND bound.id = b.session_id
JOIN conversations AS c ON c.id = b.conversation_id
JOIN sessions AS s ON s.conversation_id = b.conversation_id
  AND (s.id = b.session_id OR held.alone)
CROSS JOIN LATERAL (
  SELECT array_agg(key) AS keys, array_agg(t1) AS t1, array_agg(t2) AS t2, array_agg(t3) AS t3 FROM buckets
  WHERE s.id = b.session_id
    AND key >= s.conversation_id || '/' || s.id || ':' AND key < s.conversation_id || '/' || s.id || ';') AS spent
WHERE bound.revoked = 0 AND bound.generation = b.generation
ORDER BY b.seq, s.seq;

-- name: holders
SELECT b.agent FROM bindings AS b
JOIN sessions AS s ON s.conversation_id = b.conversation_id AND s.id = b.session_id
WHERE b.conversation_id = :conversation_id AND b.session_id = :session_id
  AND s.revoked = 0 AND s.generation = b.generation
ORDER BY b.seq;

-- name: sweep
DELETE FROM bindings WHERE bound_at < :before AND starts_with(agent, :prefix);

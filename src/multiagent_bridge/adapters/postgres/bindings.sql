-- name: bind
INSERT INTO bindings (agent, conversation_id, session_id, generation, bound_at)
VALUES (:agent, :conversation_id, :session_id, :generation, :bound_at)
ON CONFLICT (agent, conversation_id, session_id) DO UPDATE SET
  seq = DEFAULT, generation = excluded.generation, bound_at = excluded.bound_at;

-- Whoever asks for its bindings asks for their conversations and sessions next: each round trip counts.

-- name: of
SELECT b.agent, b.conversation_id, b.session_id, b.generation, b.bound_at,
  c.id, c.created_at, c.expires_at, c.sealed_key, c.last_message, c.messages, c.bytes,
  s.conversation_id, s.id, s.role, s.generation, s.revoked, s.status, s.sealed_note, s.last_heartbeat, s.unread
FROM bindings AS b
JOIN sessions AS s ON s.conversation_id = b.conversation_id AND s.id = b.session_id
JOIN conversations AS c ON c.id = b.conversation_id
WHERE b.agent = :agent AND s.revoked = 0 AND s.generation = b.generation
ORDER BY b.seq;

-- name: holders
SELECT b.agent FROM bindings AS b
JOIN sessions AS s ON s.conversation_id = b.conversation_id AND s.id = b.session_id
WHERE b.conversation_id = :conversation_id AND b.session_id = :session_id
  AND s.revoked = 0 AND s.generation = b.generation
ORDER BY b.seq;

-- name: sweep
DELETE FROM bindings WHERE bound_at < :before AND starts_with(agent, :prefix);

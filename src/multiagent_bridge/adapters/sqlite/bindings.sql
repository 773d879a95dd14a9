-- name: bind
INSERT OR REPLACE INTO bindings (agent, conversation_id, session_id, generation, bound_at)
VALUES (:agent, :conversation_id, :session_id, :generation, :bound_at);

-- name: of
SELECT b.agent, b.conversation_id, b.session_id, b.generation, b.bound_at FROM bindings AS b
JOIN sessions AS s ON s.conversation_id = b.conversation_id AND s.id = b.session_id
WHERE b.agent = :agent AND s.revoked = 0 AND s.generation = b.generation
ORDER BY b.seq;

-- name: holders
SELECT b.agent FROM bindings AS b
JOIN sessions AS s ON s.conversation_id = b.conversation_id AND s.id = b.session_id
WHERE b.conversation_id = :conversation_id AND b.session_id = :session_id
  AND s.revoked = 0 AND s.generation = b.generation
ORDER BY b.seq;

-- name: sweep
DELETE FROM bindings WHERE bound_at < :before AND substr(agent, 1, length(:prefix)) = :prefix;

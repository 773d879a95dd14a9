-- name: add
INSERT INTO sessions (conversation_id, id, role, generation, revoked, status, sealed_note, last_heartbeat, unread)
VALUES (:conversation_id, :id, :role, :generation, :revoked, :status, :sealed_note, :last_heartbeat, :unread);

-- name: get
SELECT conversation_id, id, role, generation, revoked, status, sealed_note, last_heartbeat, unread FROM sessions
WHERE conversation_id = :conversation_id AND id = :id;

-- name: of
SELECT conversation_id, id, role, generation, revoked, status, sealed_note, last_heartbeat, unread FROM sessions
WHERE conversation_id = :conversation_id ORDER BY seq;

-- name: heartbeat
UPDATE sessions
SET last_heartbeat = :at, status = CASE status WHEN 'unknown' THEN 'working' ELSE status END
WHERE conversation_id = :conversation_id AND id = :id;

-- name: report
UPDATE sessions SET status = :status, sealed_note = :sealed_note
WHERE conversation_id = :conversation_id AND id = :id;

-- name: rotate
UPDATE sessions SET generation = generation + 1, revoked = 0
WHERE conversation_id = :conversation_id AND id = :id RETURNING generation;

-- name: revoke
UPDATE sessions SET revoked = 1 WHERE conversation_id = :conversation_id AND id = :id;

-- name: drop_bindings
DELETE FROM bindings WHERE conversation_id = :conversation_id AND session_id = :id;

-- name: drop_invites
DELETE FROM invites WHERE conversation_id = :conversation_id AND session_id = :id;

-- name: stale
SELECT s.conversation_id, s.id, s.role, s.generation, s.revoked, s.status, s.sealed_note, s.last_heartbeat, s.unread,
  CASE WHEN s.unread > 0 THEN (
    SELECT m.at FROM deliveries AS d
    JOIN messages AS m ON m.conversation_id = d.conversation_id AND m.id = d.message_id
    WHERE d.conversation_id = s.conversation_id AND d.recipient = s.id AND d.read_at IS NULL AND d.claim IS NULL
    ORDER BY d.message_id LIMIT 1) END,
  count(t.id), min(t.updated_at)
FROM conversations AS c
JOIN sessions AS s ON s.conversation_id = c.id
LEFT JOIN tasks AS t
  ON t.conversation_id = s.conversation_id AND t.assignee = s.id AND t.state NOT IN ('complete', 'failed')
WHERE c.expires_at > :now AND s.revoked = 0 AND (s.last_heartbeat <= :before OR s.last_heartbeat > :now)
GROUP BY s.seq ORDER BY s.last_heartbeat, s.seq;

-- name: tell
UPDATE sessions SET told = greatest(told, :through) WHERE conversation_id = :conversation_id AND id = :id;

-- name: told
SELECT id, told FROM sessions WHERE conversation_id = :conversation_id ORDER BY seq;

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

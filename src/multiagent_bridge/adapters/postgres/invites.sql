-- name: add
INSERT INTO invites (digest, conversation_id, session_id, expires_at)
VALUES (:digest, :conversation_id, :session_id, :expires_at);

-- name: take
DELETE FROM invites WHERE digest = :digest RETURNING digest, conversation_id, session_id, expires_at;

-- name: sweep
DELETE FROM invites WHERE expires_at <= :now;

-- name: add
INSERT INTO conversations (id, created_at, expires_at, sealed_key, last_message, messages, bytes)
VALUES (:id, :created_at, :expires_at, :sealed_key, :last_message, :messages, :bytes);

-- name: get
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations WHERE id = :id;

-- name: count_message
UPDATE conversations SET last_message = last_message + 1, messages = messages + 1, bytes = bytes + :size
WHERE id = :id RETURNING last_message;

-- name: extend
UPDATE conversations SET expires_at = :expires_at WHERE id = :id;

-- name: list
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations
ORDER BY created_at, seq;

-- name: remove
DELETE FROM conversations WHERE id = :id;

-- name: remove_buckets
DELETE FROM buckets WHERE key >= :id::text || '/' AND key < :id::text || '0';

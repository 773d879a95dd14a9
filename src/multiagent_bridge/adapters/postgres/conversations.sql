-- name: add
INSERT INTO conversations (id, created_at, expires_at, sealed_key, last_message, messages, bytes)
VALUES (:id, :created_at, :expires_at, :sealed_key, :last_message, :messages, :bytes);

-- name: get
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations WHERE id = :id;

-- name: count_message
UPDATE conversations SET last_message = last_message + 1, messages = messages + 1, bytes = bytes + :size
WHERE id = :id RETURNING last_message;

-- name: count_known
UPDATE conversations SET last_message = :number::bigint, messages = messages + 1, bytes = bytes + :size
WHERE id = :id AND last_message = :number - 1;

-- name: extend
UPDATE conversations SET expires_at = :expires_at WHERE id = :id;

-- name: list
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations
ORDER BY created_at, seq;

-- name: expired
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations
WHERE expires_at <= :before ORDER BY expires_at, seq LIMIT :limit::bigint;

-- name: sealed_elsewhere
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations
WHERE substring(sealed_key FROM 1 FOR 4) <> :name ORDER BY seq LIMIT :limit;

-- name: reseal
UPDATE conversations SET sealed_key = :sealed_key WHERE id = :id AND sealed_key = :was;

-- name: aged
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations
WHERE length(sealed_key) > 68 ORDER BY seq LIMIT :limit;

-- name: newest
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations
ORDER BY created_at DESC, seq DESC LIMIT :limit;

-- name: newest_before
SELECT id, created_at, expires_at, sealed_key, last_message, messages, bytes FROM conversations
WHERE (created_at, seq) < (SELECT created_at, seq FROM conversations WHERE id = :before)
ORDER BY created_at DESC, seq DESC LIMIT :limit;

-- name: remove
DELETE FROM conversations WHERE id = :id;

-- name: remove_buckets
DELETE FROM buckets WHERE key >= :id::text || '/' AND key < :id::text || '0';

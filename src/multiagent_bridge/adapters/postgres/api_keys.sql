-- name: add
INSERT INTO api_keys (id, name, digest, roles, conversations, created_at, expires_at, seal, revoked_at, used_at)
VALUES (:id, :name, :digest, :roles, :conversations, :created_at, :expires_at, :seal, :revoked_at, :used_at);

-- name: get
SELECT id, name, digest, roles, conversations, created_at, expires_at, seal, revoked_at, used_at FROM api_keys
WHERE id = :id;

-- name: by_digest
SELECT id, name, digest, roles, conversations, created_at, expires_at, seal, revoked_at, used_at FROM api_keys
WHERE digest = :digest;

-- name: list
SELECT id, name, digest, roles, conversations, created_at, expires_at, seal, revoked_at, used_at FROM api_keys
ORDER BY seq;

-- name: revoke
UPDATE api_keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL;

-- name: touch
UPDATE api_keys SET used_at = :now WHERE id = :id AND (used_at IS NULL OR used_at < :now);

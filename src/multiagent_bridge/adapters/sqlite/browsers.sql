-- name: add_link
INSERT INTO sign_in_links (digest, name, roles, conversations, key_id, until, expires_at, seal)
VALUES (:digest, :name, :roles, :conversations, :key, :until, :expires_at, :seal);

-- name: take_link
DELETE FROM sign_in_links WHERE digest = :digest
RETURNING digest, name, roles, conversations, key_id, until, expires_at, seal;

-- name: sweep_links
DELETE FROM sign_in_links WHERE expires_at <= :now;

-- name: sweep
DELETE FROM browsers WHERE expires_at <= :now OR ended_at IS NOT NULL;

-- name: add
INSERT INTO browsers
  (id, digest, name, roles, conversations, key_id, signed_in_at, expires_at, seal, seen_at, ended_at)
VALUES
  (:id, :digest, :name, :roles, :conversations, :key, :signed_in_at, :expires_at, :seal, :seen_at, :ended_at);

-- name: get
SELECT id, digest, name, roles, conversations, key_id, signed_in_at, expires_at, seal, seen_at, ended_at FROM browsers
WHERE id = :id;

-- name: by_digest
SELECT id, digest, name, roles, conversations, key_id, signed_in_at, expires_at, seal, seen_at, ended_at FROM browsers
WHERE digest = :digest;

-- name: list
SELECT id, digest, name, roles, conversations, key_id, signed_in_at, expires_at, seal, seen_at, ended_at FROM browsers
ORDER BY seq;

-- name: touch
UPDATE browsers SET seen_at = :now WHERE id = :id;

-- name: end
UPDATE browsers SET ended_at = :now WHERE id = :id AND ended_at IS NULL;

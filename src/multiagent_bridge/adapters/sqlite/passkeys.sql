-- name: add_challenge
INSERT INTO passkey_challenges (digest, bound, expires_at, seal) VALUES (:digest, :bound, :expires_at, :seal);

-- name: take_challenge
DELETE FROM passkey_challenges WHERE digest = :digest RETURNING digest, bound, expires_at, seal;

-- name: sweep
DELETE FROM passkey_challenges WHERE expires_at <= :now;

-- name: add
INSERT INTO passkeys (id, credential, name, rp, public_key, count, added_at, seal, used_at)
VALUES (:id, :credential, :name, :rp, :public_key, :count, :added_at, :seal, :used_at);

-- name: by_credential
SELECT id, credential, name, rp, public_key, count, added_at, seal, used_at FROM passkeys WHERE credential = :credential;

-- name: list
SELECT id, credential, name, rp, public_key, count, added_at, seal, used_at FROM passkeys ORDER BY seq;

-- name: use
UPDATE passkeys SET count = :count, used_at = :now WHERE id = :id AND count = :was;

-- name: remove
DELETE FROM passkeys WHERE id = :id;

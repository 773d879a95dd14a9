-- name: list
SELECT id, verifier_key, state, since, carried FROM master_keys ORDER BY seq;

-- name: add
INSERT INTO master_keys (id, verifier_key, state, since, carried)
VALUES (:id, :verifier_key, :state, :since, :carried);

-- name: change
UPDATE master_keys SET state = :state, carried = :carried WHERE id = :id AND state = :was;

-- name: carry
UPDATE master_keys SET carried = :carried WHERE id = :id AND state = 'current' AND carried = :was;

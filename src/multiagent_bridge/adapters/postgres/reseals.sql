-- name: newest
SELECT began, state, texts, data_keys FROM reseals ORDER BY seq DESC LIMIT 1;

-- name: begin
INSERT INTO reseals (began, state, texts, data_keys) VALUES (:began, 'under_way', 0, 0);

-- name: count
UPDATE reseals SET texts = texts + :texts, data_keys = data_keys + :data_keys WHERE state = 'under_way';

-- name: finish
UPDATE reseals SET state = 'finished' WHERE state = 'under_way';

-- name: texts_messages_body
SELECT id, body FROM messages
WHERE conversation_id = :conversation_id AND id > :after
  AND length(body) > 0 AND substring(body FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_messages_body
UPDATE messages SET body = :sealed WHERE conversation_id = :conversation_id AND id = :id AND body = :was;

-- name: texts_sessions_note
SELECT id, sealed_note FROM sessions
WHERE conversation_id = :conversation_id
  AND length(sealed_note) > 0 AND substring(sealed_note FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_sessions_note
UPDATE sessions SET sealed_note = :sealed
WHERE conversation_id = :conversation_id AND id = :id AND sealed_note = :was;

-- name: texts_tasks_body
SELECT id, sealed_body FROM tasks
WHERE conversation_id = :conversation_id
  AND length(sealed_body) > 0 AND substring(sealed_body FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_tasks_body
UPDATE tasks SET sealed_body = :sealed
WHERE conversation_id = :conversation_id AND id = :id AND sealed_body = :was;

-- name: texts_commands_order
SELECT id, sealed_order FROM commands
WHERE conversation_id = :conversation_id
  AND length(sealed_order) > 0 AND substring(sealed_order FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_commands_order
UPDATE commands SET sealed_order = :sealed
WHERE conversation_id = :conversation_id AND id = :id AND sealed_order = :was;

-- name: texts_commands_reason
SELECT id, sealed_reason FROM commands
WHERE conversation_id = :conversation_id
  AND length(sealed_reason) > 0 AND substring(sealed_reason FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_commands_reason
UPDATE commands SET sealed_reason = :sealed
WHERE conversation_id = :conversation_id AND id = :id AND sealed_reason = :was;

-- name: texts_commands_outcome
SELECT id, sealed_outcome FROM commands
WHERE conversation_id = :conversation_id
  AND length(sealed_outcome) > 0 AND substring(sealed_outcome FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_commands_outcome
UPDATE commands SET sealed_outcome = :sealed
WHERE conversation_id = :conversation_id AND id = :id AND sealed_outcome = :was;

-- name: texts_grants_scope
SELECT id, sealed_scope FROM grants
WHERE conversation_id = :conversation_id
  AND length(sealed_scope) > 0 AND substring(sealed_scope FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_grants_scope
UPDATE grants SET sealed_scope = :sealed
WHERE conversation_id = :conversation_id AND id = :id AND sealed_scope = :was;

-- name: texts_yolo_wish
SELECT id, sealed_wish FROM enablings
WHERE conversation_id = :conversation_id
  AND length(sealed_wish) > 0 AND substring(sealed_wish FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_yolo_wish
UPDATE enablings SET sealed_wish = :sealed
WHERE conversation_id = :conversation_id AND id = :id AND sealed_wish = :was;

-- name: texts_yolo_reason
SELECT id, sealed_reason FROM enablings
WHERE conversation_id = :conversation_id
  AND length(sealed_reason) > 0 AND substring(sealed_reason FROM 1 FOR 4) <> :name
ORDER BY id LIMIT :limit::bigint;

-- name: replace_yolo_reason
UPDATE enablings SET sealed_reason = :sealed
WHERE conversation_id = :conversation_id AND id = :id AND sealed_reason = :was;

-- name: replace_messages
UPDATE messages SET body = fresh.sealed
FROM unnest(:ids::bigint[], :was::bytea[], :sealed::bytea[]) AS fresh (id, was, sealed)
WHERE messages.conversation_id = :conversation_id AND messages.id = fresh.id AND messages.body = fresh.was;

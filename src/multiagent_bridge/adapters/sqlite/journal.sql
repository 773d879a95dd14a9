-- name: head
SELECT head FROM journal_head;

-- name: set_head
INSERT INTO journal_head (only, head) VALUES (1, :head) ON CONFLICT (only) DO UPDATE SET head = excluded.head;

-- name: append
INSERT INTO journal (seq, conversation_id, line) VALUES (:seq, :conversation_id, :line);

-- name: lines
SELECT seq, line FROM journal WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: lines_of
SELECT seq, line FROM journal WHERE conversation_id = :conversation_id AND seq > :after ORDER BY seq LIMIT :limit;

-- The first note of a size stays: a second one that differs must not hide it.

-- name: add_checkpoint
INSERT INTO checkpoints (size, note) VALUES (:size, :note) ON CONFLICT (size) DO NOTHING;

-- name: checkpoints
SELECT size, note FROM checkpoints ORDER BY size;

-- name: newest
SELECT seq, line FROM journal ORDER BY seq DESC LIMIT :limit;

-- name: newest_of
SELECT seq, line FROM journal WHERE conversation_id = :conversation_id ORDER BY seq DESC LIMIT :limit;

-- name: older
SELECT seq, line FROM journal WHERE seq < :before ORDER BY seq DESC LIMIT :limit;

-- name: older_of
SELECT seq, line FROM journal WHERE conversation_id = :conversation_id AND seq < :before ORDER BY seq DESC LIMIT :limit;

-- name: last_checkpoint
SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1;

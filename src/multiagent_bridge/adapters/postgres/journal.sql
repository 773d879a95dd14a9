-- name: lock
SELECT head FROM journal_head FOR UPDATE;

-- name: head
SELECT head FROM journal_head;

-- name: append
WITH written AS (
  INSERT INTO journal (seq, conversation_id, line)
  SELECT * FROM unnest(:seqs::bigint[], :conversations::text[], :lines::text[]))
UPDATE journal_head SET head = :head;

-- Both are prepared by name, see framing.py: the head if nobody else moved it, and `append` of texts in hexadecimal digits.

-- name: lock_known
SELECT 1 FROM journal_head WHERE head = :head FOR UPDATE;

-- name: append_spelled
WITH written AS (
  INSERT INTO journal (seq, conversation_id, line)
  SELECT seq, convert_from(decode(conversation, 'hex'), 'UTF8'), convert_from(decode(line, 'hex'), 'UTF8')
  FROM unnest(:seqs::bigint[], :conversations::text[], :lines::text[]) AS entry (seq, conversation, line))
UPDATE journal_head SET head = :head;

-- name: line
SELECT line FROM journal WHERE seq = :seq;

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

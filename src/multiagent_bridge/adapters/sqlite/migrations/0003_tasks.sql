-- The fence grows at each hand-over; a change names the one it saw.

CREATE TABLE tasks (
  seq              INTEGER PRIMARY KEY,
  conversation_id  TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  id               TEXT    NOT NULL,
  creator          TEXT    NOT NULL,
  assignee         TEXT    NOT NULL,
  state            TEXT    NOT NULL,
  priority         TEXT    NOT NULL,
  fence            INTEGER NOT NULL,
  lease_seconds    INTEGER NOT NULL,
  lease_expires_at INTEGER,
  depends_on       TEXT    NOT NULL,  -- ids, separated by spaces
  sealed_body      BLOB    NOT NULL,
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  UNIQUE (conversation_id, id)
) STRICT;

CREATE INDEX tasks_open ON tasks (conversation_id, assignee) WHERE state NOT IN ('complete', 'failed');

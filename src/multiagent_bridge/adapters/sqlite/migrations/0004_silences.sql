-- The watchdog: who is silent, whose task nobody could take, and where the last check stood.

CREATE TABLE silences (
  seq             INTEGER PRIMARY KEY,
  conversation_id TEXT    NOT NULL,
  session_id      TEXT    NOT NULL,
  state           TEXT    NOT NULL,
  heartbeat       INTEGER NOT NULL,  -- the one under which it fell silent
  began_at        INTEGER NOT NULL,
  warned_at       INTEGER NOT NULL,
  handed          INTEGER NOT NULL,
  UNIQUE (conversation_id, session_id),
  FOREIGN KEY (conversation_id, session_id) REFERENCES sessions (conversation_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE orphans (
  seq             INTEGER PRIMARY KEY,
  conversation_id TEXT    NOT NULL,
  task_id         TEXT    NOT NULL,
  fence           INTEGER NOT NULL,
  session_id      TEXT    NOT NULL,
  UNIQUE (conversation_id, task_id),
  FOREIGN KEY (conversation_id, task_id) REFERENCES tasks (conversation_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE watch (
  only     INTEGER PRIMARY KEY CHECK (only = 1),
  at       INTEGER NOT NULL,
  boot     TEXT    NOT NULL,
  boottime INTEGER NOT NULL,
  since    INTEGER NOT NULL,
  steps    INTEGER NOT NULL
) STRICT;

-- the message id up to which the session's client was told of its mail
ALTER TABLE sessions ADD COLUMN told INTEGER NOT NULL DEFAULT 0;

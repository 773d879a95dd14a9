-- The guard. What is named sealed is encrypted; the words of the states and who follows whom are in model/.

CREATE TABLE enablings (
  seq              INTEGER PRIMARY KEY,
  id               TEXT    NOT NULL UNIQUE,
  conversation_id  TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  session_id       TEXT    NOT NULL,
  state            TEXT    NOT NULL,
  mode             TEXT    NOT NULL,
  workspace_path   TEXT,
  workspace_device TEXT,              -- decimal: device and inode may need all of 64 bits
  workspace_inode  TEXT,
  sandbox          TEXT    NOT NULL,
  network          INTEGER NOT NULL,
  seconds          INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  boot             TEXT    NOT NULL,
  boottime_end     INTEGER NOT NULL,  -- microseconds since that boot
  sealed_wish      BLOB    NOT NULL,
  decided_at       INTEGER,
  decided_by       TEXT    NOT NULL,
  sealed_reason    BLOB    NOT NULL
) STRICT;

CREATE INDEX enablings_by_conversation ON enablings (conversation_id);
CREATE UNIQUE INDEX enablings_current ON enablings (conversation_id) WHERE state = 'enabled';

CREATE TABLE grants (
  seq             INTEGER PRIMARY KEY,
  id              TEXT    NOT NULL UNIQUE,
  conversation_id TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  session_id      TEXT    NOT NULL,
  digest          TEXT    NOT NULL,
  sealed_scope    BLOB    NOT NULL,
  granted_at      INTEGER NOT NULL,
  granted_by      TEXT    NOT NULL,
  boot            TEXT    NOT NULL,
  boottime_end    INTEGER NOT NULL,
  until           INTEGER NOT NULL,
  runs_left       INTEGER NOT NULL,
  ended_at        INTEGER
) STRICT;

CREATE INDEX grants_by_conversation ON grants (conversation_id);

CREATE TABLE commands (
  seq              INTEGER PRIMARY KEY,
  id               TEXT    NOT NULL UNIQUE,
  conversation_id  TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  session_id       TEXT    NOT NULL,
  state            TEXT    NOT NULL,
  digest           TEXT    NOT NULL,
  sealed_order     BLOB    NOT NULL,
  requested_at     INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  verifier         BLOB,              -- from here to grant_id: the approval, all of it or nothing
  boot             TEXT,
  boottime_end     INTEGER,
  granted_at       INTEGER,
  until            INTEGER,
  approved_by      TEXT,
  grant_id         TEXT,
  decided_at       INTEGER,
  sealed_reason    BLOB    NOT NULL,
  runner           TEXT    NOT NULL,
  deadline         INTEGER NOT NULL,
  started_at       INTEGER,
  ended_at         INTEGER,
  sealed_outcome   BLOB    NOT NULL,
  CHECK (verifier IS NOT NULL OR state NOT IN ('approved', 'running', 'done', 'lost'))
) STRICT;

CREATE INDEX commands_by_conversation ON commands (conversation_id);
CREATE INDEX commands_open ON commands (conversation_id) WHERE state IN ('pending', 'approved', 'running');
CREATE INDEX commands_running ON commands (runner) WHERE state = 'running';

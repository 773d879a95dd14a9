-- Instants are microseconds since the epoch, UTC. `seq` keeps the order in which rows were added.

CREATE TABLE conversations (
  seq          INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL UNIQUE,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  sealed_key   BLOB    NOT NULL,
  last_message INTEGER NOT NULL,
  messages     INTEGER NOT NULL,
  bytes        INTEGER NOT NULL
) STRICT;

CREATE INDEX conversations_by_age ON conversations (created_at);

CREATE TABLE sessions (
  seq             INTEGER PRIMARY KEY,
  conversation_id TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  id              TEXT    NOT NULL,
  role            TEXT    NOT NULL,
  generation      INTEGER NOT NULL,
  revoked         INTEGER NOT NULL,
  status          TEXT    NOT NULL,
  sealed_note     BLOB    NOT NULL,
  last_heartbeat  INTEGER,
  unread          INTEGER NOT NULL,  -- the deliveries with neither claim nor read_at
  UNIQUE (conversation_id, id)
) STRICT;

CREATE INDEX sessions_by_conversation ON sessions (conversation_id);

CREATE TABLE messages (
  conversation_id TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  id              INTEGER NOT NULL,
  sender          TEXT    NOT NULL,
  action_type     TEXT    NOT NULL,
  body            BLOB    NOT NULL,
  size            INTEGER NOT NULL,
  at              INTEGER NOT NULL,
  reply_to        INTEGER,
  idempotency_key TEXT,
  digest          TEXT    NOT NULL,
  UNIQUE (conversation_id, id)
) STRICT;

CREATE UNIQUE INDEX messages_by_key ON messages (conversation_id, sender, idempotency_key)
  WHERE idempotency_key IS NOT NULL;

-- unread: neither claim nor read_at; claimed: claim and claimed_at; read: read_at alone
CREATE TABLE deliveries (
  conversation_id TEXT    NOT NULL,
  recipient       TEXT    NOT NULL,
  message_id      INTEGER NOT NULL,
  read_at         INTEGER,
  claim           TEXT,
  claimed_at      INTEGER,
  PRIMARY KEY (conversation_id, recipient, message_id),
  FOREIGN KEY (conversation_id, recipient) REFERENCES sessions (conversation_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_pending ON deliveries (conversation_id, recipient, message_id) WHERE read_at IS NULL;
CREATE INDEX deliveries_claimed ON deliveries (claim) WHERE claim IS NOT NULL;

CREATE TABLE invites (
  digest          BLOB    PRIMARY KEY,
  conversation_id TEXT    NOT NULL,
  session_id      TEXT    NOT NULL,
  expires_at      INTEGER NOT NULL,
  FOREIGN KEY (conversation_id, session_id) REFERENCES sessions (conversation_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX invites_by_session ON invites (conversation_id, session_id);
CREATE INDEX invites_by_expiry ON invites (expires_at);

CREATE TABLE bindings (
  seq             INTEGER PRIMARY KEY,
  agent           TEXT    NOT NULL,
  conversation_id TEXT    NOT NULL,
  session_id      TEXT    NOT NULL,
  generation      INTEGER NOT NULL,
  bound_at        INTEGER NOT NULL,
  UNIQUE (agent, conversation_id, session_id),
  FOREIGN KEY (conversation_id, session_id) REFERENCES sessions (conversation_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX bindings_by_agent ON bindings (agent);
CREATE INDEX bindings_by_session ON bindings (conversation_id, session_id);
CREATE INDEX bindings_by_age ON bindings (bound_at);

-- The journal outlives conversations: no foreign key.
CREATE TABLE journal (
  seq             INTEGER PRIMARY KEY,
  conversation_id TEXT    NOT NULL,
  line            TEXT    NOT NULL
) STRICT;

CREATE INDEX journal_by_conversation ON journal (conversation_id, seq);

CREATE TABLE journal_head (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  head TEXT    NOT NULL
) STRICT;

CREATE TABLE checkpoints (
  size INTEGER PRIMARY KEY,
  note TEXT    NOT NULL
) STRICT;

-- One theoretical arrival time a window (GCRA).
CREATE TABLE buckets (
  key TEXT PRIMARY KEY,
  t1  INTEGER NOT NULL,
  t2  INTEGER NOT NULL,
  t3  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

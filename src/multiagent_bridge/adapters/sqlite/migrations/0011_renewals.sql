-- Tokens of sessions that were renewed. A token itself is never stored.

CREATE TABLE renewals (
  seq             INTEGER PRIMARY KEY,
  conversation_id TEXT    NOT NULL,
  session_id      TEXT    NOT NULL,
  generation      INTEGER NOT NULL,  -- it says nothing of a session that has moved on to another
  since           INTEGER NOT NULL,
  overlap         TEXT    NOT NULL CHECK (overlap IN ('open', 'taken_up', 'ended')),
  offered_at      INTEGER,           -- when the token before was first answered with this one
  UNIQUE (conversation_id, session_id),
  FOREIGN KEY (conversation_id, session_id) REFERENCES sessions (conversation_id, id) ON DELETE CASCADE
) STRICT;

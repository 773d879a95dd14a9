-- Keys of this hub: who may come from another machine, and as what. A key itself is never stored.

CREATE TABLE api_keys (
  seq           INTEGER PRIMARY KEY,
  id            TEXT    NOT NULL UNIQUE,
  name          TEXT    NOT NULL,
  digest        BLOB    NOT NULL UNIQUE,  -- HMAC-SHA256 of the whole key under a key of its own
  roles         TEXT    NOT NULL,         -- words with a space between them
  conversations TEXT,                     -- ids with a space between them; null: confined to none
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER,
  seal          TEXT    NOT NULL,         -- vouches for the columns above, which never change
  revoked_at    INTEGER,
  used_at       INTEGER
) STRICT;

-- Passkeys of people, and the one-time challenges they are asked with. A challenge itself is never stored.

CREATE TABLE passkeys (
  seq        INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE,
  credential BLOB    NOT NULL UNIQUE,
  name       TEXT    NOT NULL,
  rp         TEXT    NOT NULL,
  public_key BLOB    NOT NULL,  -- COSE
  count      INTEGER NOT NULL,
  added_at   INTEGER NOT NULL,
  seal       TEXT    NOT NULL,  -- vouches for the columns above but count, which never change
  used_at    INTEGER
) STRICT;

CREATE TABLE passkey_challenges (
  digest     BLOB    PRIMARY KEY,  -- HMAC-SHA256 of the challenge
  bound      TEXT    NOT NULL,     -- what it serves for, as JSON
  expires_at INTEGER NOT NULL,
  seal       TEXT    NOT NULL
) STRICT;

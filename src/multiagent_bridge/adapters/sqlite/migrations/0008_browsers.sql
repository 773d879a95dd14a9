-- Who is signed in to the dashboard, and the one-time links by which they come. Neither a code nor a cookie is ever stored.

CREATE TABLE sign_in_links (
  digest        BLOB    PRIMARY KEY,  -- HMAC-SHA256 of the code
  name          TEXT    NOT NULL,
  roles         TEXT    NOT NULL,     -- words with a space between them
  conversations TEXT,                 -- ids with a space between them; null: confined to none
  key_id        TEXT    NOT NULL,     -- the key of this hub that asked for it, or empty
  until         INTEGER,
  expires_at    INTEGER NOT NULL,
  seal          TEXT    NOT NULL
) STRICT;

CREATE TABLE browsers (
  seq           INTEGER PRIMARY KEY,
  id            TEXT    NOT NULL UNIQUE,
  digest        BLOB    NOT NULL UNIQUE,  -- HMAC-SHA256 of the cookie
  name          TEXT    NOT NULL,
  roles         TEXT    NOT NULL,
  conversations TEXT,
  key_id        TEXT    NOT NULL,
  signed_in_at  INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  seal          TEXT    NOT NULL,         -- vouches for the columns above, which never change
  seen_at       INTEGER NOT NULL,
  ended_at      INTEGER
) STRICT;

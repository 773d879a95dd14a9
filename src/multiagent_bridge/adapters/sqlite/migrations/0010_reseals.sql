-- Texts that are sealed anew under a newer data key of their conversation, so that the older ones can be destroyed.

CREATE TABLE reseals (
  seq       INTEGER PRIMARY KEY,
  began     INTEGER NOT NULL UNIQUE,  -- the journal's entry that says so
  state     TEXT    NOT NULL CHECK (state IN ('under_way', 'finished')),
  texts     INTEGER NOT NULL,         -- sealed anew so far
  data_keys INTEGER NOT NULL          -- destroyed so far
) STRICT;

CREATE UNIQUE INDEX reseals_under_way ON reseals (state) WHERE state = 'under_way';

-- One data key is 64 or 68 bytes when it is wrapped; who has more has older ones.

CREATE INDEX conversations_aged ON conversations (seq) WHERE length(sealed_key) > 68;

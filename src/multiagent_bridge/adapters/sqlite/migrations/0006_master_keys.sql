-- Which master keys this store was ever under. A master key itself is never stored.

CREATE TABLE master_keys (
  seq          INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL UNIQUE,  -- 8 hex digits: what every data key wrapped under it begins with
  verifier_key TEXT    NOT NULL,         -- of the checkpoints that were signed under it
  state        TEXT    NOT NULL CHECK (state IN ('current', 'accepted', 'retired')),
  since        INTEGER NOT NULL,         -- the journal's entry that handed over to it; 0: it was the first
  carried      BLOB    NOT NULL          -- the secrets that no rotation changes, wrapped under it
) STRICT;

CREATE UNIQUE INDEX master_keys_current ON master_keys (state) WHERE state = 'current';

-- A process that has not heard of a rotation yet must not bring back what has ended: nobody could read it.

CREATE TRIGGER conversations_sealed BEFORE INSERT ON conversations
WHEN EXISTS (SELECT 1 FROM master_keys WHERE state = 'retired' AND id = lower(hex(substr(NEW.sealed_key, 1, 4))))
BEGIN
  SELECT RAISE(ABORT, 'the key of the conversation is wrapped under a retired master key');
END;

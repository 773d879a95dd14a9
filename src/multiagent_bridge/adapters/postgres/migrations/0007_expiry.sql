-- What expired long ago is erased: the longest expired is found without a look at the others.

CREATE INDEX conversations_by_expiry ON conversations (expires_at);

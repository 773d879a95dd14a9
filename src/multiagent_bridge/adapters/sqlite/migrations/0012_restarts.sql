-- The newest generation of a session's token that a person made: those before it were ended, and were not left behind.

ALTER TABLE renewals ADD COLUMN restarted INTEGER NOT NULL DEFAULT 0;
UPDATE renewals SET restarted = generation WHERE overlap = 'ended';

-- Open ones are few: whoever looks for them goes by commands_open, never through the history.

-- name: add
INSERT INTO commands (id, conversation_id, session_id, state, digest, sealed_order, requested_at, expires_at,
  verifier, boot, boottime_end, granted_at, until, approved_by, grant_id,
  decided_at, sealed_reason, runner, deadline, started_at, ended_at, sealed_outcome)
VALUES (:id, :conversation_id, :session_id, :state, :digest, :order, :requested_at, :expires_at,
  :verifier, :boot, :boottime_end, :granted_at, :until, :by, :grant_id,
  :decided_at, :reason, :runner, :deadline, :started_at, :ended_at, :outcome);

-- name: get
SELECT id, conversation_id, session_id, state, digest, sealed_order, requested_at, expires_at,
  verifier, boot, boottime_end, granted_at, until, approved_by, grant_id,
  decided_at, sealed_reason, runner, deadline, started_at, ended_at, sealed_outcome
FROM commands WHERE id = :id;

-- name: open
SELECT id, conversation_id, session_id, state, digest, sealed_order, requested_at, expires_at,
  verifier, boot, boottime_end, granted_at, until, approved_by, grant_id,
  decided_at, sealed_reason, runner, deadline, started_at, ended_at, sealed_outcome
FROM commands INDEXED BY commands_open
WHERE state IN ('pending', 'approved', 'running') ORDER BY seq LIMIT :limit;

-- name: open_of
SELECT id, conversation_id, session_id, state, digest, sealed_order, requested_at, expires_at,
  verifier, boot, boottime_end, granted_at, until, approved_by, grant_id,
  decided_at, sealed_reason, runner, deadline, started_at, ended_at, sealed_outcome
FROM commands INDEXED BY commands_open
WHERE conversation_id = :conversation_id AND state IN ('pending', 'approved', 'running') ORDER BY seq LIMIT :limit;

-- name: list
SELECT id, conversation_id, session_id, state, digest, sealed_order, requested_at, expires_at,
  verifier, boot, boottime_end, granted_at, until, approved_by, grant_id,
  decided_at, sealed_reason, runner, deadline, started_at, ended_at, sealed_outcome
FROM commands ORDER BY seq DESC LIMIT :limit;

-- name: list_of
SELECT id, conversation_id, session_id, state, digest, sealed_order, requested_at, expires_at,
  verifier, boot, boottime_end, granted_at, until, approved_by, grant_id,
  decided_at, sealed_reason, runner, deadline, started_at, ended_at, sealed_outcome
FROM commands WHERE conversation_id = :conversation_id ORDER BY seq DESC LIMIT :limit;

-- What was asked is in the condition: nothing changes it.

-- name: change
UPDATE commands SET state = :state, expires_at = :expires_at, verifier = :verifier, boot = :boot,
  boottime_end = :boottime_end, granted_at = :granted_at, until = :until, approved_by = :by, grant_id = :grant_id,
  decided_at = :decided_at, sealed_reason = :reason, runner = :runner, deadline = :deadline, started_at = :started_at,
  ended_at = :ended_at, sealed_outcome = :outcome
WHERE id = :id AND state = :was AND conversation_id = :conversation_id AND session_id = :session_id AND digest = :digest
  AND sealed_order = :order AND requested_at = :requested_at;

-- The single use of an approval (notes/guard, section 10). One row: run; no row: refuse. A machine that does not tell its
-- boot runs nothing; an instant before granted_at means that the wall clock was set back.

-- name: start
UPDATE commands SET state = 'running', runner = :runner, deadline = :deadline, started_at = :now
WHERE id = :id AND state = 'approved' AND digest = :digest AND verifier = :verifier AND boot = :boot AND boot <> ''
  AND boottime_end > :boottime AND granted_at <= :now AND until > :now
RETURNING id;

-- An approval of another boot may be another machine's: `until` ends it.

-- name: overdue
SELECT id, conversation_id, session_id, state, digest, sealed_order, requested_at, expires_at,
  verifier, boot, boottime_end, granted_at, until, approved_by, grant_id,
  decided_at, sealed_reason, runner, deadline, started_at, ended_at, sealed_outcome
FROM commands INDEXED BY commands_open
WHERE state IN ('pending', 'approved', 'running')
  AND CASE state WHEN 'pending' THEN expires_at <= :now WHEN 'running' THEN deadline <= :now
      ELSE boot = '' OR (boot = :boot AND boottime_end <= :boottime) OR until <= :now
        OR granted_at - :now > until - granted_at END
ORDER BY seq LIMIT :limit;

-- name: running
SELECT id, conversation_id, session_id, state, digest, sealed_order, requested_at, expires_at,
  verifier, boot, boottime_end, granted_at, until, approved_by, grant_id,
  decided_at, sealed_reason, runner, deadline, started_at, ended_at, sealed_outcome
FROM commands WHERE state = 'running' AND runner = :runner ORDER BY seq;

-- name: add
INSERT INTO enablings (id, conversation_id, session_id, state, mode, workspace_path, workspace_device, workspace_inode,
  sandbox, network, seconds, created_at, expires_at, boot, boottime_end, sealed_wish, decided_at, decided_by, sealed_reason)
VALUES (:id, :conversation_id, :session_id, :state, :mode, :workspace_path, :workspace_device, :workspace_inode,
  :sandbox, :network, :seconds, :created_at, :expires_at, :boot, :boottime_end, :wish, :decided_at, :decided_by, :reason);

-- name: get
SELECT id, conversation_id, session_id, state, mode, workspace_path, workspace_device, workspace_inode,
  sandbox, network, seconds, created_at, expires_at, boot, boottime_end, sealed_wish, decided_at, decided_by, sealed_reason
FROM enablings WHERE id = :id;

-- name: current
SELECT id, conversation_id, session_id, state, mode, workspace_path, workspace_device, workspace_inode,
  sandbox, network, seconds, created_at, expires_at, boot, boottime_end, sealed_wish, decided_at, decided_by, sealed_reason
FROM enablings WHERE conversation_id = :conversation_id AND state = 'enabled';

-- name: list
SELECT id, conversation_id, session_id, state, mode, workspace_path, workspace_device, workspace_inode,
  sandbox, network, seconds, created_at, expires_at, boot, boottime_end, sealed_wish, decided_at, decided_by, sealed_reason
FROM enablings ORDER BY seq DESC LIMIT :limit;

-- name: list_of
SELECT id, conversation_id, session_id, state, mode, workspace_path, workspace_device, workspace_inode,
  sandbox, network, seconds, created_at, expires_at, boot, boottime_end, sealed_wish, decided_at, decided_by, sealed_reason
FROM enablings WHERE conversation_id = :conversation_id ORDER BY seq DESC LIMIT :limit;

-- name: change
UPDATE enablings SET session_id = :session_id, state = :state, mode = :mode, workspace_path = :workspace_path,
  workspace_device = :workspace_device, workspace_inode = :workspace_inode, sandbox = :sandbox, network = :network,
  seconds = :seconds, created_at = :created_at, expires_at = :expires_at, boot = :boot, boottime_end = :boottime_end,
  sealed_wish = :wish, decided_at = :decided_at, decided_by = :decided_by, sealed_reason = :reason
WHERE id = :id AND state = :was AND conversation_id = :conversation_id;

-- name: add_grant
INSERT INTO grants (id, conversation_id, session_id, digest, sealed_scope, granted_at, granted_by, boot, boottime_end,
  until, runs_left, ended_at)
VALUES (:id, :conversation_id, :session_id, :digest, :scope, :granted_at, :by, :boot, :boottime_end,
  :until, :runs_left, :ended_at);

-- name: grants
SELECT id, conversation_id, session_id, digest, sealed_scope, granted_at, granted_by, boot, boottime_end,
  until, runs_left, ended_at FROM grants
WHERE conversation_id = :conversation_id AND ended_at IS NULL AND runs_left > 0 ORDER BY seq DESC;

-- One row: one run taken. A machine that does not tell its boot takes none.

-- name: spend
UPDATE grants SET runs_left = runs_left - 1
WHERE id = :id AND ended_at IS NULL AND runs_left > 0 AND boot = :boot AND boot <> '' AND boottime_end > :boottime
  AND granted_at <= :now AND until > :now
RETURNING id;

-- name: end_grants
UPDATE grants SET ended_at = :now WHERE conversation_id = :conversation_id AND ended_at IS NULL AND runs_left > 0;

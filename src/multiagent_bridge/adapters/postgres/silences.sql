-- name: add
INSERT INTO silences (conversation_id, session_id, state, heartbeat, began_at, warned_at, handed)
VALUES (:conversation_id, :session_id, :state, :heartbeat, :began_at, :warned_at, :handed)
ON CONFLICT (conversation_id, session_id) DO NOTHING;

-- name: list
SELECT conversation_id, session_id, state, heartbeat, began_at, warned_at, handed FROM silences ORDER BY seq;

-- name: change
UPDATE silences SET state = :state, heartbeat = :heartbeat, began_at = :began_at, warned_at = :warned_at, handed = :handed
WHERE conversation_id = :was_conversation_id AND session_id = :was_session_id AND state = :was_state
  AND heartbeat = :was_heartbeat AND began_at = :was_began_at AND warned_at = :was_warned_at AND handed = :was_handed;

-- name: remove
DELETE FROM silences
WHERE conversation_id = :was_conversation_id AND session_id = :was_session_id AND state = :was_state
  AND heartbeat = :was_heartbeat AND began_at = :was_began_at AND warned_at = :was_warned_at AND handed = :was_handed;

-- name: orphan
INSERT INTO orphans (conversation_id, task_id, fence, session_id) VALUES (:conversation_id, :task_id, :fence, :session_id)
ON CONFLICT (conversation_id, task_id) DO UPDATE SET
  seq = DEFAULT, fence = excluded.fence, session_id = excluded.session_id;

-- name: orphans
SELECT conversation_id, task_id, fence, session_id FROM orphans ORDER BY seq;

-- name: adopt
DELETE FROM orphans
WHERE conversation_id = :conversation_id AND task_id = :task_id AND fence = :fence AND session_id = :session_id;

-- name: watch
SELECT at, boot, boottime, since, steps FROM watch;

-- name: first_watch
INSERT INTO watch (one, at, boot, boottime, since, steps) VALUES (1, :at, :boot, :boottime, :since, :steps)
ON CONFLICT (one) DO NOTHING;

-- name: watched
UPDATE watch SET at = :at, boot = :boot, boottime = :boottime, since = :since, steps = :steps
WHERE at = :was_at AND boot = :was_boot AND boottime = :was_boottime AND since = :was_since AND steps = :was_steps;

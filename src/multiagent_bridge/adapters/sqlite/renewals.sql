-- name: get
SELECT r.conversation_id, r.session_id, r.generation, r.since, r.overlap, r.offered_at, r.restarted FROM renewals AS r
JOIN sessions AS s ON s.conversation_id = r.conversation_id AND s.id = r.session_id AND s.generation = r.generation
WHERE r.conversation_id = :conversation_id AND r.session_id = :session_id;

-- name: move_session
UPDATE sessions SET generation = generation + 1
WHERE conversation_id = :conversation_id AND id = :session_id AND generation = :generation AND revoked = 0;

-- name: move_bindings
UPDATE bindings SET generation = generation + 1
WHERE conversation_id = :conversation_id AND session_id = :session_id AND generation = :generation;

-- A program that knows no `restarted` says by `overlap` alone that a person made the token.

-- name: put
INSERT INTO renewals (conversation_id, session_id, generation, since, overlap, offered_at, restarted)
VALUES (:conversation_id, :session_id, :generation, :since, :overlap, :offered_at, :restarted)
ON CONFLICT (conversation_id, session_id) DO UPDATE SET
  generation = excluded.generation, since = excluded.since, overlap = excluded.overlap, offered_at = excluded.offered_at,
  restarted = max(renewals.restarted, excluded.restarted,
    CASE WHEN renewals.overlap = 'ended' THEN renewals.generation ELSE 0 END);

-- name: offer
UPDATE renewals SET offered_at = :at
WHERE conversation_id = :conversation_id AND session_id = :session_id AND generation = :generation AND overlap = 'open'
  AND offered_at IS NULL;

-- name: take_up
UPDATE renewals SET overlap = 'taken_up'
WHERE conversation_id = :conversation_id AND session_id = :session_id AND generation = :generation AND overlap = 'open';

-- name: add
INSERT INTO tasks (id, conversation_id, creator, assignee, state, priority, fence, lease_seconds, lease_expires_at,
  depends_on, sealed_body, created_at, updated_at)
VALUES (:id, :conversation_id, :creator, :assignee, :state, :priority, :fence, :lease_seconds, :lease_expires_at,
  :depends_on, :body, :created_at, :updated_at);

-- name: get
SELECT id, conversation_id, creator, assignee, state, priority, fence, lease_seconds, lease_expires_at,
  depends_on, sealed_body, created_at, updated_at
FROM tasks WHERE conversation_id = :conversation_id AND id = :id;

-- name: count
SELECT count(*) FROM tasks WHERE conversation_id = :conversation_id AND state = ANY (:states::text[]);

-- name: list
SELECT id, conversation_id, creator, assignee, state, priority, fence, lease_seconds, lease_expires_at,
  depends_on, sealed_body, created_at, updated_at
FROM (SELECT * FROM tasks WHERE conversation_id = :conversation_id
  ORDER BY state IN ('complete', 'failed'), CASE WHEN state IN ('complete', 'failed') THEN -seq ELSE seq END LIMIT :limit) AS listed
ORDER BY state IN ('complete', 'failed'), seq;

-- name: held
SELECT id, conversation_id, creator, assignee, state, priority, fence, lease_seconds, lease_expires_at,
  depends_on, sealed_body, created_at, updated_at
FROM tasks WHERE conversation_id = :conversation_id AND assignee = :assignee AND state NOT IN ('complete', 'failed')
ORDER BY seq;

-- name: change
UPDATE tasks SET assignee = :assignee, state = :state, priority = :priority, fence = :fence,
  lease_expires_at = :lease_expires_at, sealed_body = :body, updated_at = :updated_at
WHERE conversation_id = :conversation_id AND id = :id AND state = :was AND fence = :held AND fence <= :fence;

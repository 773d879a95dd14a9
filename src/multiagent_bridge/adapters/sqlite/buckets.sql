-- Per window i: :e_i what an act costs, :p_i the period, both microseconds. A time further ahead than its period and the
-- slack was stored before the clock was set back and counts as now. No row changed means denied.

-- name: charge
INSERT INTO buckets (key, t1, t2, t3) VALUES (:key, :now + :e1, :now + :e2, :now + :e3)
ON CONFLICT (key) DO UPDATE SET
  t1 = CASE WHEN t1 > :now + :p1 + :slack THEN :now ELSE max(t1, :now) END + :e1,
  t2 = CASE WHEN t2 > :now + :p2 + :slack THEN :now ELSE max(t2, :now) END + :e2,
  t3 = CASE WHEN t3 > :now + :p3 + :slack THEN :now ELSE max(t3, :now) END + :e3
WHERE CASE WHEN t1 > :now + :p1 + :slack THEN :now ELSE max(t1, :now) END + :e1 - :now <= :p1
  AND CASE WHEN t2 > :now + :p2 + :slack THEN :now ELSE max(t2, :now) END + :e2 - :now <= :p2
  AND CASE WHEN t3 > :now + :p3 + :slack THEN :now ELSE max(t3, :now) END + :e3 - :now <= :p3;

-- name: sweep
DELETE FROM buckets WHERE max(t1, t2, t3) <= :now;

-- name: stored
SELECT t1, t2, t3 FROM buckets WHERE key = :key;

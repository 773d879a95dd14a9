-- Per window i: :e_i what an act costs, :p_i the period, both microseconds. A time further ahead than its period and the
-- slack was stored before the clock was set back and counts as now. No row returned means denied, and nothing was charged.

-- name: charge
INSERT INTO buckets AS b (key, t1, t2, t3)
VALUES (:key, :now::bigint + :e1::bigint, :now::bigint + :e2::bigint, :now::bigint + :e3::bigint)
ON CONFLICT (key) DO UPDATE SET
  t1 = CASE WHEN b.t1 > :now + :p1::bigint + :slack::bigint THEN :now ELSE greatest(b.t1, :now) END + :e1,
  t2 = CASE WHEN b.t2 > :now + :p2::bigint + :slack THEN :now ELSE greatest(b.t2, :now) END + :e2,
  t3 = CASE WHEN b.t3 > :now + :p3::bigint + :slack THEN :now ELSE greatest(b.t3, :now) END + :e3
WHERE CASE WHEN b.t1 > :now + :p1 + :slack THEN :now ELSE greatest(b.t1, :now) END + :e1 - :now <= :p1
  AND CASE WHEN b.t2 > :now + :p2 + :slack THEN :now ELSE greatest(b.t2, :now) END + :e2 - :now <= :p2
  AND CASE WHEN b.t3 > :now + :p3 + :slack THEN :now ELSE greatest(b.t3, :now) END + :e3 - :now <= :p3
RETURNING b.key;

-- name: sweep
DELETE FROM buckets WHERE greatest(t1, t2, t3) <= :now;

-- name: stored
SELECT t1, t2, t3 FROM buckets WHERE key = :key;

-- name: charge_known
UPDATE buckets SET t1 = :t1, t2 = :t2, t3 = :t3 WHERE key = :key AND t1 = :was1 AND t2 = :was2 AND t3 = :was3;

-- Notes unknown keys as accepted, and returns those that live elsewhere. Who inserts updates the fence: of two writers
-- that find a key absent, one is cancelled.
BEGIN TRANSACTION;

CREATE TEMP TABLE wanted AS
SELECT w.key, u AS user_id, m AS month, k.key IS NOT NULL AS known, k.user_id AS known_user, k.month AS known_month,
  k.phase AS known_phase
FROM (SELECT key, place FROM UNNEST(@keys) AS key WITH OFFSET AS place) AS w
JOIN UNNEST(@users) AS u WITH OFFSET AS user_place ON user_place = w.place
JOIN UNNEST(@months) AS m WITH OFFSET AS month_place ON month_place = w.place
LEFT JOIN `$index` AS k ON k.key = w.key;

IF EXISTS (SELECT 1 FROM wanted WHERE NOT known) THEN
  UPDATE `$index` SET accepted_month = @accepted_month WHERE key = '';
  INSERT INTO `$index` (key, user_id, month, phase, position, accepted_month)
  SELECT key, user_id, month, 'accepted', 0, @accepted_month
  FROM wanted
  WHERE NOT known;
END IF;

COMMIT TRANSACTION;

SELECT key, known_user AS user_id, known_month AS month, known_phase AS phase
FROM wanted
WHERE known AND (known_user != user_id OR known_month != month)

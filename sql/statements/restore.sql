-- Takes over staged rows of another store as they are, with what its index says of them and of other keys: all or none.
-- The fence keeps the number of the newest write that did not land.
BEGIN TRANSACTION;

ASSERT NOT EXISTS (
  SELECT 1
  FROM `$staging` AS s
  JOIN `$index` AS k ON k.key = s.known_key
  WHERE k.user_id != s.known_user_id OR k.month != s.known_month
    OR k.phase IN ('placed', 'archived') AND s.user_id IS NOT NULL
) AS 'keys that another writer took meanwhile';

INSERT INTO `$table` ($columns)
SELECT $values
FROM `$staging` AS s
WHERE s.user_id IS NOT NULL;

UPDATE `$index` AS k
SET
  phase = IF(w.written, w.phase, k.phase), position = IF(w.key = '', GREATEST(k.position, w.position), w.position),
  accepted_month = w.accepted_month, digest = IF(w.written, w.digest, k.digest),
  version = IF(w.written, w.version, k.version)
FROM (
  SELECT
    known_key AS key, user_id IS NOT NULL AS written, known_phase AS phase, known_position AS position,
    known_accepted_month AS accepted_month, known_digest AS digest, known_version AS version
  FROM `$staging`
  UNION ALL
  SELECT '', FALSE, 'fence', IFNULL(DIV(MAX(known_position), $lines_per_file), 0), 0, NULL, NULL
  FROM `$staging`
) AS w
WHERE k.key = w.key;

INSERT INTO `$index` (key, user_id, month, phase, position, accepted_month, digest, version)
SELECT
  s.known_key, s.known_user_id, s.known_month, s.known_phase, s.known_position, s.known_accepted_month,
  s.known_digest, s.known_version
FROM `$staging` AS s
LEFT JOIN `$index` AS k ON k.key = s.known_key
WHERE k.key IS NULL;

COMMIT TRANSACTION

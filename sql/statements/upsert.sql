-- Upserts staged rows in one transaction, and returns how many came to what: for each verdict, month (of rows that were
-- written) and refused row (row_id, fault, stored) a count.
--
-- Updated rows and new ones are written by two statements and not by one MERGE: the verdict knows which is which, an
-- insert need not look for rows it cannot meet, and each is left out where there is nothing for it. Every writer updates
-- the fence of the index (the row of the empty key): of two at once, one is cancelled and runs again.
BEGIN TRANSACTION;

CREATE TEMP TABLE verdicts AS
$verdicts;

CREATE TEMP TABLE touched AS
SELECT
  v.row_key AS touched_key, MIN(v.row_user) AS user_id, MIN(v.row_month) AS month, MAX(v.held_position) AS position,
  MIN(v.final_digest) AS digest, MIN(v.final_version) AS version, LOGICAL_OR(k.key IS NOT NULL) AS known
FROM verdicts AS v
LEFT JOIN `$index` AS k ON k.key = v.row_key
WHERE v.final_digest IS NOT NULL
GROUP BY v.row_key
HAVING LOGICAL_OR(v.verdict IN ('inserted', 'updated')) OR MAX(v.held_position) > MAX(k.position);

IF EXISTS (SELECT 1 FROM touched) AND NOT EXISTS (SELECT 1 FROM verdicts WHERE fault = 'unindexed') THEN
  IF EXISTS (SELECT 1 FROM verdicts WHERE verdict = 'updated') THEN
    UPDATE `$table` AS t
    SET $assignments
    FROM (
      SELECT s.*
      FROM `$staging` AS s
      JOIN verdicts AS v ON v.row_id = s.staged_row
      WHERE v.verdict = 'updated'
    ) AS w
    WHERE t.`$key` = w.`$key`$within;
  END IF;

  -- The application's columns are the winner's, the engine's those of the first record.
  IF EXISTS (SELECT 1 FROM verdicts WHERE verdict = 'inserted') THEN
    INSERT INTO `$table` ($columns)
    SELECT $values
    FROM verdicts AS v
    JOIN `$staging` AS s ON s.staged_row = v.row_id
    JOIN `$staging` AS b ON b.staged_row = v.base_row
    WHERE v.verdict = 'inserted';
  END IF;

  UPDATE `$index` AS k
  SET
    phase = w.phase, position = GREATEST(k.position, IFNULL(w.position, 0)), digest = w.digest, version = w.version
  FROM (
    SELECT touched_key, '$phase' AS phase, position, digest, version FROM touched WHERE known
    UNION ALL
    SELECT '', 'fence', $next_number, NULL, NULL
  ) AS w
  WHERE k.key = w.touched_key;

  INSERT INTO `$index` (key, user_id, month, phase, position, accepted_month, digest, version)
  SELECT touched_key, user_id, month, '$phase', position, @accepted_month, digest, version
  FROM touched
  WHERE NOT known;
END IF;

COMMIT TRANSACTION;

SELECT
  verdict, fault, stored,
  IF(verdict = 'refused', row_id, NULL) AS row_id,
  IF(verdict IN ('inserted', 'updated'), row_month, NULL) AS month,
  COUNT(*) AS n
FROM verdicts
GROUP BY 1, 2, 3, 4, 5

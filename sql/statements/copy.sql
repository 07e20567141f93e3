-- Writes staged rows beside those of the other table, in place of earlier copies, and returns the keys it wrote: those
-- that live in the other table, at the place the row names.
BEGIN TRANSACTION;

CREATE TEMP TABLE arriving AS
SELECT s.`$key` AS arriving_key
FROM `$staging` AS s
JOIN `$index` AS k ON k.key = s.`$key`
WHERE k.phase = '$home' AND k.user_id = s.user_id AND k.month = s.staged_month;

IF EXISTS (SELECT 1 FROM arriving) THEN
  DELETE FROM `$target` AS t
  WHERE t.`$key` IN (SELECT arriving_key FROM arriving)$within;

  INSERT INTO `$target` ($columns)
  SELECT $values
  FROM `$staging` AS s
  WHERE s.`$key` IN (SELECT arriving_key FROM arriving);

  ASSERT (SELECT COUNT(*) FROM `$target` AS t WHERE t.`$key` IN (SELECT arriving_key FROM arriving)$within)
    = (SELECT COUNT(*) FROM arriving) AS 'as many rows as were copied to $target';

  UPDATE `$index`
  SET phase = '$phase'
  WHERE key IN (SELECT arriving_key FROM arriving);
END IF;

COMMIT TRANSACTION;

SELECT arriving_key FROM arriving

-- Moves rows between a table and its archive, and returns their keys: copied, counted and removed in one transaction.
BEGIN TRANSACTION;

CREATE TEMP TABLE moving AS
SELECT t.`$key` AS moving_key
FROM `$source` AS t
WHERE t.`$key` IN UNNEST(@keys)$within;

IF EXISTS (SELECT 1 FROM moving) THEN
  INSERT INTO `$target` ($columns)
  SELECT $values
  FROM `$source` AS t
  WHERE t.`$key` IN (SELECT moving_key FROM moving)$within;

  ASSERT (SELECT COUNT(*) FROM `$target` AS t WHERE t.`$key` IN (SELECT moving_key FROM moving)$within)
    = (SELECT COUNT(*) FROM moving) AS 'rows of these keys in both $source and $target';

  DELETE FROM `$source` AS t
  WHERE t.`$key` IN (SELECT moving_key FROM moving)$within;

  UPDATE `$index`
  SET phase = '$phase'
  WHERE key IN (SELECT moving_key FROM moving);
END IF;

COMMIT TRANSACTION;

SELECT moving_key FROM moving

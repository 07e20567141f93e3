-- Changes rows that are still what they were when they were read, and returns their keys. The changes come as one JSON
-- array; JSON columns are texts in it, moments milliseconds.
BEGIN TRANSACTION;

CREATE TEMP TABLE won AS
SELECT JSON_VALUE(c, '$$.key') AS won_key, $values
FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON(@changes))) AS c
JOIN `$table` AS t ON t.`$key` = JSON_VALUE(c, '$$.key')$within
WHERE TO_HEX(SHA256(TO_JSON_STRING(t))) = JSON_VALUE(c, '$$.guard');

IF EXISTS (SELECT 1 FROM won) THEN
  UPDATE `$table` AS t
  SET $assignments
  FROM won AS w
  WHERE t.`$key` = w.won_key$within;
END IF;

COMMIT TRANSACTION;

SELECT won_key FROM won

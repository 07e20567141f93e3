-- Replaces the JSON values of one column, where the row still has the old one.
UPDATE `$table` AS t
SET `$column` = w.new_value
FROM (
  SELECT
    JSON_VALUE(c, '$$.place') AS place, JSON_VALUE(c, '$$.user_id') AS owner, $old AS old_value, $new AS new_value
  FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON(@rows))) AS c
) AS w
WHERE
  CAST(t.`$place` AS STRING) = w.place AND t.user_id = w.owner
  AND TO_JSON_STRING(t.`$column`) = TO_JSON_STRING(w.old_value)

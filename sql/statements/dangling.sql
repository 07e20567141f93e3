-- Rows that refer to what their user does not have.
SELECT
  '$table' AS table_name, '$column' AS column_name, '$referred' AS referred, t.`$key` AS row_key, t.user_id,
  t.`$column` AS reference
FROM `$table` AS t
LEFT JOIN `$index` AS k ON k.key = t.`$column` AND k.user_id = t.user_id
WHERE t.`$column` IS NOT NULL AND k.key IS NULL

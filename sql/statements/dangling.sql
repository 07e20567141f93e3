-- Rows that refer to what their user does not have.
SELECT t.`$key` AS row_key, t.user_id, t.`$column` AS reference
FROM `$table` AS t
LEFT JOIN `$index` AS k ON k.key = t.`$column` AND k.user_id = t.user_id
WHERE t.`$column` IS NOT NULL AND k.key IS NULL
ORDER BY row_key

-- The months that have rows.
SELECT DISTINCT '$table' AS table_name, $month AS month
FROM `$table`

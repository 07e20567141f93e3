-- How much a table holds: its rows, users and partitions.
SELECT
  '$table' AS table_name,
  COUNT(*) AS row_count,
  COUNT(DISTINCT user_id) AS users,
  COUNT(DISTINCT $partition) AS partitions
FROM `$table`

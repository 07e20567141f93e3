-- Keys with more than one row, live and archive together.
SELECT '$table' AS table_name, row_key, COUNT(*) AS n
FROM ($rows)
GROUP BY row_key
HAVING COUNT(*) > 1

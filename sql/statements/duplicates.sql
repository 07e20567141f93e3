-- Keys with more than one row, live and archive together.
SELECT row_key, COUNT(*) AS n
FROM ($rows)
GROUP BY row_key
HAVING COUNT(*) > 1
ORDER BY row_key

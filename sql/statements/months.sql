-- The months that have rows.
SELECT $month AS month
FROM `$table`
GROUP BY 1
ORDER BY 1

-- The users and months that have rows, and how many.
SELECT user_id, $month AS month, COUNT(*) AS row_count
FROM `$table` AS t
WHERE TRUE$within
GROUP BY 1, 2
ORDER BY 1, 2

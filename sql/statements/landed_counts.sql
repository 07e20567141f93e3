-- How many landed records there are of each file and month.
SELECT '$landed' AS table_name, DIV(landed_position, $lines_per_file) AS number, $month AS month, COUNT(*) AS n
FROM `$landed`
GROUP BY 1, 2, 3

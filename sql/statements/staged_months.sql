-- How many staged records there are of each month.
SELECT $month AS month, COUNT(*) AS n
FROM `$staging`
GROUP BY 1
ORDER BY 1

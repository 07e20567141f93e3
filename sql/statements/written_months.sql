-- How many months between two were written to a user's own table, empty ones included.
SELECT COUNT(*) AS n
FROM `$written`
WHERE name = @name AND month BETWEEN @first_month AND @last_month

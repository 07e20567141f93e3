-- The first and the last month of keys whose row is in a table.
SELECT MIN(month) AS first_month, MAX(month) AS last_month
FROM `$index`
WHERE key IN UNNEST(@keys) AND phase = '$phase'

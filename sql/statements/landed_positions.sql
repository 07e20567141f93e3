-- The position of the newest landed record of each key.
SELECT `$key` AS landed_key, MAX(landed_position) AS position
FROM `$landed`
GROUP BY 1

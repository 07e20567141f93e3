-- How often a table of the bookkeeping has its fence.
SELECT '$table' AS name, COUNT(*) AS n
FROM `$table`
WHERE `$key` = $absent

-- A read of one table: a projection, conditions, an order and a limit.
SELECT $columns
FROM `$table`
WHERE $conditions$order$limit

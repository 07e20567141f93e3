-- The fence of a key index, of the ledger, or of the leases: a row that every writer updates.
INSERT INTO `$table` ($columns)
SELECT $values
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `$table` WHERE `$key` = $absent)

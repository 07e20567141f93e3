-- Replaces months of a user's own table by staged rows, and notes that they were written, since a month may be empty.
BEGIN TRANSACTION;

DELETE FROM `$table`
WHERE $conditions;

INSERT INTO `$table` ($names)
SELECT $names
FROM `$staging`;

INSERT INTO `$written` (part, name, month)
SELECT CONCAT(@name, '/', written_month), @name, written_month
FROM UNNEST(@months) AS written_month
WHERE written_month NOT IN (SELECT month FROM `$written` WHERE name = @name);

COMMIT TRANSACTION

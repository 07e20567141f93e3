-- Replaces a user's own table as a whole by staged rows; until they are there, readers see the former ones.
CREATE OR REPLACE TABLE `$table` (
  $fields
)$clustering AS
SELECT $names
FROM `$staging`

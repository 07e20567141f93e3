-- Makes a user's own table that is kept by month, unless it is there.
CREATE TABLE IF NOT EXISTS `$table` (
  $fields
)
PARTITION BY $partition$clustering;

-- Months of a former table of the name, that somebody dropped.
DELETE FROM `$written` WHERE name = @name

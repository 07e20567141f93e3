-- Where the rows of one table say they belong.
SELECT `$key` AS row_key, user_id AS row_user, $month AS row_month, '$phase' AS row_phase
FROM `$table`$living

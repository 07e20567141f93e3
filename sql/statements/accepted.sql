-- How many keys of a user were first accepted in a month.
SELECT COUNT(*) AS n
FROM `$index`
WHERE user_id = @user_id AND accepted_month = @month AND phase != 'fence'

-- How many keys of a user were accepted by landing and have no row yet.
SELECT COUNT(*) AS n
FROM `$index`
WHERE user_id = @user_id AND phase = 'accepted'

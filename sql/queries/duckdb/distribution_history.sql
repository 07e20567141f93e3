-- The distributions of one audience of a user, newest first.
SELECT *
FROM distributions
WHERE audience_id = $audience_id AND user_id = $user_id
ORDER BY created_at DESC, distribution_id

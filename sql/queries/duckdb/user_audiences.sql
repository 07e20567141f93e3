-- All audiences of a user that are not archived, newest first.
SELECT *
FROM audiences
WHERE user_id = $user_id AND status != 'archived'
ORDER BY created_at DESC, audience_id

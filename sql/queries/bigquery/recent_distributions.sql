-- The distributions a user created after a moment, newest first, so many at most.
-- Derived from recent_distributions.sql in ../duckdb/ by make derive.
SELECT *
FROM distributions
WHERE user_id = @user_id AND created_at > @since
ORDER BY created_at DESC, distribution_id
LIMIT @limit

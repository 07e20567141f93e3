-- The platforms a user can distribute to: every column but the credentials, which no query returns.
-- Derived from active_platforms.sql in ../duckdb/ by make derive.
SELECT platform_id, user_id, platform_type, name, created_at, updated_at, status, settings, last_sync, sync_status
FROM platforms
WHERE user_id = @user_id AND status = 'active'
ORDER BY platform_id

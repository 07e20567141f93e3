-- One audience with its segments: all columns.
-- Derived from audience_detail.sql in ../duckdb/ by make derive.
SELECT *
FROM audiences
WHERE audience_id = @audience_id
ORDER BY audience_id

-- One audience with its segments: all columns.
SELECT *
FROM audiences
WHERE audience_id = $audience_id
ORDER BY audience_id

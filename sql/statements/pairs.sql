-- The pairs of audiences and platforms that have completed or open rows: which one completed last, live or archived, and
-- how many are open.
WITH
  ended AS (
    SELECT audience_id, platform_id, `$key` AS row_key, IFNULL(executed_at, created_at) AS ended_at
    FROM `$table`
    WHERE status = 'completed' AND platform_id IN UNNEST(@platforms)
    UNION ALL
    SELECT audience_id, platform_id, `$key`, IFNULL(executed_at, created_at)
    FROM `$archive`
    WHERE status = 'completed' AND platform_id IN UNNEST(@platforms)
  ),
  placed AS (
    SELECT
      *, ROW_NUMBER() OVER (PARTITION BY audience_id, platform_id ORDER BY ended_at DESC, row_key DESC) AS place
    FROM ended
  ),
  noted AS (
    SELECT audience_id, platform_id, row_key, ended_at, 0 AS active
    FROM placed
    WHERE place = 1
    UNION ALL
    SELECT audience_id, platform_id, NULL, NULL, 1
    FROM `$table`
    WHERE status IN UNNEST(@open_statuses) AND platform_id IN UNNEST(@platforms)
  )
SELECT audience_id, platform_id, MAX(row_key) AS row_key, MAX(ended_at) AS ended_at, SUM(active) AS active
FROM noted
WHERE NOT @some_audiences OR audience_id IN UNNEST(@audiences)
GROUP BY audience_id, platform_id
ORDER BY audience_id, platform_id

-- The rows that the engine has to look at by @now, those due longest first. Without months to keep to, since an open row
-- may be of any; what ended long ago is in the archive.
SELECT row_key, user_id, platform_id, status, due_at
FROM (
  SELECT *, $due_at AS due_at
  FROM (
    SELECT
      `$key` AS row_key, user_id, platform_id, status, status IN UNNEST(@open_statuses) AS is_open, $due AS due,
      $later AS later
    FROM `$table`
  )
  WHERE is_open OR later IS NOT NULL
)
WHERE due_at <= @now AND (NOT @some_statuses OR status IN UNNEST(@statuses))
ORDER BY due_at, row_key
LIMIT @row_limit

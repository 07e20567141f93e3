-- What becomes of each staged row, by the rules of an upsert: the same as audience_pipeline/storage/rules.py, whose names
-- the steps have. The key index says of every key, live or archived and of whatever month, where it lives, and the
-- version, digest and position of its row. So the table itself is read within the staged rows' own months only.
WITH
  -- Rows that did not land come after every file, and every such write, so far.
  incoming AS (
    SELECT
      s.staged_row AS row_id, s.`$key` AS row_key, s.user_id AS row_user, s.staged_month AS row_month,
      s.staged_digest AS digest, s.staged_version AS version,
      IFNULL(s.landed_position, $next_number * $lines_per_file) AS position,
      k.user_id AS k_user, k.month AS k_month, k.phase, k.position AS k_position, k.digest AS k_digest,
      k.version AS k_version$own_columns
    FROM `$staging` AS s
    LEFT JOIN `$index` AS k ON k.key = s.`$key` AND k.phase != 'fence'
  ),
  -- A key lives where the index says, else where its first row puts it.
  homed AS (
    SELECT
      *,
      IFNULL(k_user, FIRST_VALUE(row_user) OVER (PARTITION BY row_key ORDER BY position, row_id)) AS home_user,
      IFNULL(k_month, FIRST_VALUE(row_month) OVER (PARTITION BY row_key ORDER BY position, row_id)) AS home_month,
      MIN(row_user) OVER (PARTITION BY row_key) != MAX(row_user) OVER (PARTITION BY row_key)
        OR MIN(row_month) OVER (PARTITION BY row_key) != MAX(row_month) OVER (PARTITION BY row_key) AS torn
    FROM incoming
  ),
  placed AS (
    SELECT
      *,
      CASE
        WHEN row_user != home_user THEN 'user_id'
        WHEN torn AND row_month != home_month THEN 'month'
        $archive_faults
        WHEN row_month != home_month THEN 'month'
        $status_fault
      END AS fault
    FROM homed
  ),
  admitted AS (
    SELECT *, FIRST_VALUE(row_id) OVER (PARTITION BY row_key ORDER BY position, row_id) AS first_row
    FROM placed
    WHERE fault IS NULL
  ),
  -- Each row's base is the stored row of its key, or else the first of the incoming ones.
  held AS (
    SELECT
      a.*,
      t.user_id IS NOT NULL AND a.k_user IS NULL AS unindexed,
      IF(t.user_id IS NULL, a.first_row, NULL) AS base_row,
      IF(t.user_id IS NULL, b.digest, a.k_digest) AS base_digest,
      IF(t.user_id IS NULL, b.version, a.k_version) AS base_version,
      IF(t.user_id IS NULL, b.position, a.k_position) AS base_position$base_columns
    FROM admitted AS a
    LEFT JOIN (SELECT * FROM `$table` AS t WHERE TRUE$within) AS t ON t.`$key` = a.row_key
    LEFT JOIN admitted AS b ON b.row_id = a.first_row
  ),
  compared AS (
    SELECT
      *,
      version IS NULL AND base_version IS NULL AS unversioned,
      $moved AS moved
    FROM held
  ),
  ranked AS (
    SELECT
      *,
      IFNULL(version > base_version, FALSE) OR version IS NOT NULL AND base_version IS NULL
        OR unversioned AND position > base_position AS newer,
      IFNULL(version = base_version, FALSE) OR unversioned AND position = base_position AS tie
    FROM compared
  ),
  judged AS (
    SELECT
      *,
      newer OR tie AND digest > base_digest AS outranks,
      newer AND digest != base_digest OR tie AND digest > base_digest AS beats
    FROM ranked
  ),
  closed AS (
    SELECT
      *,
      CASE
        WHEN unindexed THEN 'unindexed'
        WHEN moved IS NOT NULL THEN moved
        $closed_fault
      END AS late_fault,
      $late_stored AS late_stored
    FROM judged
  ),
  -- The newest of those that outrank the base wins, unless it says again what the base says.
  newest AS (
    SELECT
      row_key AS won_key, row_id AS won_row, digest AS won_digest, version AS won_version, beats,
      ROW_NUMBER() OVER (
        PARTITION BY row_key
        ORDER BY
          version DESC NULLS LAST, IF(version IS NULL, position, NULL) DESC NULLS LAST, digest DESC, row_id DESC
      ) AS place
    FROM closed
    WHERE late_fault IS NULL AND outranks
  ),
  settled AS (
    SELECT
      c.*,
      IFNULL(w.won_digest, c.base_digest) AS final_digest,
      IF(w.won_key IS NULL, c.base_version, w.won_version) AS final_version,
      IFNULL(c.row_id = IFNULL(w.won_row, c.base_row), FALSE) AS wins
    FROM closed AS c
    LEFT JOIN newest AS w ON w.won_key = c.row_key AND w.place = 1 AND w.beats
    WHERE c.late_fault IS NULL
  )
SELECT
  row_id, row_key, row_user, row_month,
  CASE
    WHEN wins AND base_row IS NULL THEN 'updated'
    WHEN wins THEN 'inserted'
    WHEN digest = final_digest THEN 'unchanged'
    ELSE 'stale'
  END AS verdict,
  CAST(NULL AS STRING) AS fault, CAST(NULL AS STRING) AS stored,
  base_row, final_digest, final_version, IF(digest = final_digest, position, NULL) AS held_position
FROM settled
UNION ALL
SELECT row_id, row_key, row_user, row_month, 'refused', late_fault, late_stored, NULL, NULL, NULL, NULL
FROM closed
WHERE late_fault IS NOT NULL
UNION ALL
SELECT
  row_id, row_key, row_user, row_month, IF(fault = 'stale', 'stale', 'refused'), NULLIF(fault, 'stale'),
  CAST(home_month AS STRING), NULL, NULL, NULL, NULL
FROM placed
WHERE fault IS NOT NULL

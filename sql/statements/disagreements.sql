-- Where an index and the rows disagree: rows it has elsewhere or not at all, and rows it has that are nowhere.
SELECT
  '$table' AS table_name, r.row_key IS NULL AS lost, IFNULL(r.row_phase, k.phase) AS phase, IFNULL(r.row_month, k.month) AS month,
  COUNT(*) AS n, MIN(IFNULL(r.row_key, k.key)) AS first_key
FROM ($rows) AS r
FULL OUTER JOIN (SELECT * FROM `$index` WHERE phase IN ('placed', 'archived')) AS k ON k.key = r.row_key
WHERE
  k.key IS NULL OR r.row_key IS NULL OR k.digest IS NULL
  OR k.user_id != r.row_user OR k.month != r.row_month OR k.phase != r.row_phase
GROUP BY 1, 2, 3, 4

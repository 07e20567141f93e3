-- What an upsert would do with each staged row.
SELECT row_id, verdict, fault, stored
FROM (
  $verdicts
)
ORDER BY row_id

-- Entries of the ledger, oldest first.
SELECT
  number, source, digest, name, status, revision, TO_JSON_STRING(counts) AS counts, TO_JSON_STRING(months) AS months,
  folded_months
FROM `$ledger`
WHERE number > 0 AND $conditions
ORDER BY number

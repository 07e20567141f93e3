-- Rows by key, each with a guard that tells whether it is still the same later.
SELECT $columns, TO_HEX(SHA256(TO_JSON_STRING(t))) AS row_guard
FROM `$table` AS t
WHERE t.`$key` IN UNNEST(@keys)$within

-- What the index says of the keys of some phases.
SELECT $columns
FROM `$index`
WHERE phase IN UNNEST(@phases)

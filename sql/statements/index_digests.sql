-- The digests an index has of the rows of one month.
SELECT key, digest
FROM `$index`
WHERE month = @month AND phase = '$phase'

-- Takes over files of another ledger as they are there, with the staged records of those that have none here yet: all or
-- none. The files come as one JSON array.
BEGIN TRANSACTION;

CREATE TEMP TABLE files AS
SELECT
  CAST(JSON_VALUE(f, '$$.number') AS INT64) AS number, JSON_VALUE(f, '$$.digest') AS digest,
  JSON_VALUE(f, '$$.name') AS name, JSON_VALUE(f, '$$.status') AS status,
  TO_JSON_STRING(JSON_QUERY(f, '$$.counts')) AS counts, TO_JSON_STRING(JSON_QUERY(f, '$$.months')) AS months,
  JSON_VALUE_ARRAY(f, '$$.folded') AS folded
FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON(@files))) AS f;

INSERT INTO `$landed` ($columns)
SELECT $values
FROM `$staging` AS s
WHERE DIV(s.landed_position, $lines_per_file) NOT IN (SELECT number FROM `$ledger` WHERE status != 'open');

UPDATE `$ledger` SET revision = revision + 1 WHERE number = 0;

UPDATE `$ledger` AS l
SET
  status = f.status, revision = l.revision + 1, counts = PARSE_JSON(f.counts), months = PARSE_JSON(f.months),
  folded_months = f.folded
FROM files AS f
WHERE l.number = f.number;

INSERT INTO `$ledger` (number, source, digest, name, status, revision, counts, months, folded_months)
SELECT f.number, @source, f.digest, f.name, f.status, 0, PARSE_JSON(f.counts), PARSE_JSON(f.months), f.folded
FROM files AS f
LEFT JOIN `$ledger` AS l ON l.number = f.number
WHERE l.number IS NULL;

COMMIT TRANSACTION

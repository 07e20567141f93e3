-- Notes how far the fold of a file has come, unless somebody noted something else meanwhile.
UPDATE `$ledger`
SET status = @status, revision = revision + 1, counts = PARSE_JSON(@counts), folded_months = @folded_months
WHERE number = @number AND revision = @revision

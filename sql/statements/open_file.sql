-- Gives a file that is new the next number. Who inserts updates the fence: of two that open the same file, one is
-- cancelled and finds the other's entry.
BEGIN TRANSACTION;

IF NOT EXISTS (SELECT 1 FROM `$ledger` WHERE source = @source AND digest = @digest) THEN
  UPDATE `$ledger` SET revision = revision + 1 WHERE number = 0;
  INSERT INTO `$ledger` (number, source, digest, name, status, revision, counts, months, folded_months)
  SELECT $next_number, @source, @digest, @name, 'open', 0, PARSE_JSON('{}'), PARSE_JSON('{}'), CAST([] AS ARRAY<STRING>);
END IF;

COMMIT TRANSACTION

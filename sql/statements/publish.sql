-- Publishes the staged records of a file that is still open, all or none. A file without any is folded, too.
BEGIN TRANSACTION;

IF EXISTS (SELECT 1 FROM `$ledger` WHERE number = @number AND status = 'open') THEN
  UPDATE `$ledger`
  SET status = @status, revision = revision + 1, counts = PARSE_JSON(@counts), months = PARSE_JSON(@months)
  WHERE number = @number;
  INSERT INTO `$landed` ($columns)
  SELECT $values
  FROM `$staging` AS s;
END IF;

COMMIT TRANSACTION

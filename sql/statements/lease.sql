-- Takes leases, all or none, and returns those that others hold. Who takes one updates the fence: of two that find it
-- free, one is cancelled.
BEGIN TRANSACTION;

CREATE TEMP TABLE taken AS
SELECT name, holder, expires_at
FROM `$leases`
WHERE name IN UNNEST(@names) AND expires_at > CURRENT_TIMESTAMP();

IF NOT EXISTS (SELECT 1 FROM taken) THEN
  UPDATE `$leases` SET expires_at = CURRENT_TIMESTAMP() WHERE name = '';
  DELETE FROM `$leases` WHERE name IN UNNEST(@names);
  INSERT INTO `$leases` (name, holder, expires_at)
  SELECT name, @holder, TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL @seconds SECOND)
  FROM UNNEST(@names) AS name;
END IF;

COMMIT TRANSACTION;

SELECT name, holder, expires_at FROM taken

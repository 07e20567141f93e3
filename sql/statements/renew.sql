-- Renews leases that are still held; those that ran out may be another's by now.
UPDATE `$leases`
SET expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL @seconds SECOND)
WHERE name IN UNNEST(@names) AND holder = @holder

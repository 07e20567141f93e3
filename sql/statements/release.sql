-- Gives leases back.
DELETE FROM `$leases`
WHERE name IN UNNEST(@names) AND holder = @holder

-- Where keys live.
SELECT key, user_id, month, phase
FROM `$index`
WHERE key IN UNNEST(@keys) AND phase != 'fence'

-- Makes an index agree with the rows of one month, which are staged. A key that was unknown gets the position of its
-- newest landed record.
BEGIN TRANSACTION;

UPDATE `$index` AS k
SET user_id = s.user_id, month = s.staged_month, phase = '$phase', digest = s.staged_digest, version = s.staged_version
FROM `$staging` AS s
WHERE k.key = s.`$key`;

UPDATE `$index` SET accepted_month = 0 WHERE key = '';

INSERT INTO `$index` (key, user_id, month, phase, position, accepted_month, digest, version)
SELECT s.`$key`, s.user_id, s.staged_month, '$phase', IFNULL(l.position, 0), 0, s.staged_digest, s.staged_version
FROM `$staging` AS s
LEFT JOIN ($positions) AS l ON l.landed_key = s.`$key`
WHERE s.`$key` NOT IN (SELECT key FROM `$index`);

COMMIT TRANSACTION

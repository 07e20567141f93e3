-- Removes rows that the other table has, too, and returns their keys. Both were compared when they were read: their guards
-- say that they are still the same. Only rows of keys that live in the live table are removed, from there or from the
-- archive.
BEGIN TRANSACTION;

CREATE TEMP TABLE leaving AS
SELECT t.`$key` AS leaving_key
FROM UNNEST(@keys) AS given WITH OFFSET AS place
JOIN `$source` AS t ON t.`$key` = given$within
JOIN `$twin` AS o ON o.`$key` = given$within_twin
JOIN `$index` AS k ON k.key = given
WHERE k.phase = 'placed'
  AND TO_HEX(SHA256(TO_JSON_STRING(t))) = @guards[OFFSET(place)]
  AND TO_HEX(SHA256(TO_JSON_STRING(o))) = @twin_guards[OFFSET(place)];

IF EXISTS (SELECT 1 FROM leaving) THEN
  DELETE FROM `$source` AS t
  WHERE t.`$key` IN (SELECT leaving_key FROM leaving)$within;

  UPDATE `$index`
  SET phase = '$phase'
  WHERE key IN (SELECT leaving_key FROM leaving);
END IF;

COMMIT TRANSACTION;

SELECT leaving_key FROM leaving

-- Forgets the keys of one month that have no row, so that their rows can be written again.
DELETE FROM `$index`
WHERE month = @month AND phase = '$phase' AND key NOT IN (SELECT row_key FROM ($rows))

-- The number of a write of rows that did not land: it comes after every file, and every such write, so far.
(
  1 + GREATEST(
    IFNULL((SELECT MAX(f.position) FROM `$index` AS f WHERE f.key = ''), 0),
    IFNULL((SELECT MAX(l.number) FROM `$ledger` AS l), 0)
  )
)

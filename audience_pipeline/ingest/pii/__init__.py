"""Personal data in records that may have none: found, named by field and kind, and never repeated.

Belongs here: what counts as personal, and how it is looked for. Does not belong here: which columns are looked at (the
tables' declarations say so) and what becomes of the record (:mod:`audience_pipeline.ingest.chunks`).

Nearly every record has nothing: one regular expression over the stored columns, in C++, says which ones are worth a
look (:mod:`.suspecting`). Those are walked text by text (:mod:`.judging`), where each kind has its own detector. A
detector takes a text and the name of the member it stands under, since a number under ``phone`` says more than one
under ``budget``; it returns whether the text has the kind.
"""

"""A BigQuery emulator for tests and demonstrations: installed, started and stopped by this project.

Belongs here: everything that knows which emulator it is. Does not belong here: any table, query or setting of the
pipeline; whoever uses an emulator gets an `Endpoint` and nothing else of it.

It needs another Python and other versions than the package, so it lives in a virtual environment of its own
(`.emulator/`, from `requirements-emulator.lock`), and talks over the loopback only.
"""

"""Generated data: a world of tenants, platforms, audiences and distributions of any size, the same for the same seed.

Nothing here is read from anywhere, and nothing of it is real: organizations are made up, addresses end in ``.example``,
credentials open nothing. The world itself is :class:`.generate.DemoWorld`; :mod:`.landing` writes it as a sender would.
"""

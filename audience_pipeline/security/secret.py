"""A value that prints as ``***``.

Belongs here: the one type in which secrets and key material are held. Does not belong here: how they come to be.
"""

from typing import Generic, NoReturn, SupportsIndex, TypeVar

T = TypeVar("T", str, bytes)

MASK = "***"


class Secret(Generic[T]):
    """Holds a secret so that printing, logging, formatting or dumping its holder shows ``***``.

    It refuses to be pickled (and so copied or sent to another process): whatever stores or ships objects by pickle
    would write the plaintext. Two secrets are equal only where they are one object, because an equality on content
    invites comparing secrets, which is what the fingerprint is for.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        """Hold ``value``."""
        self._value: T = value

    def reveal(self) -> T:
        """Return the value itself; call this only where it is about to be used."""
        return self._value

    def __repr__(self) -> str:
        """Return the mask (``str`` and ``format`` come here too)."""
        return MASK

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse to be pickled or copied."""
        message = "A secret is not pickled or copied; load the keyset where the secret is needed and open it there."
        raise TypeError(message)

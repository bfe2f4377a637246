"""What a size consists of that is not known before a run."""

from __future__ import annotations


class Symbol(str):
    """An unknown integer, the same for the same name; `low` is its least value as far as is known.

    It is its name, so that tables find it without a call of Python.
    """

    __slots__ = ("low",)
    low: int | None

    def __new__(cls, name: str, low: int | None = 0) -> Symbol:
        """The unknown of a name."""
        made = super().__new__(cls, name)
        made.low = low
        return made

    @property
    def name(self) -> str:
        """The name alone."""
        return str(self)

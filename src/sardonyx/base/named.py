"""The standard library's NamedTuple and IntEnum, made in a fraction of the time: a start makes fifty of them.

For type checkers they are those of the standard library. What is not used here is left out: `_make`, `auto`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

__all__ = ["IntEnum", "NamedTuple"]

if TYPE_CHECKING:
    from enum import IntEnum
    from typing import NamedTuple
else:

    class _TupleType(type):
        """Makes classes of tuples whose annotated fields have names."""

        def __new__(meta, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> type:
            fields = tuple(members.get("__annotations__", ()))
            if fields:
                defaults = {field: members[field] for field in fields if field in members}
                members |= {field: property(itemgetter(at)) for at, field in enumerate(fields)}
                members |= {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
            return super().__new__(meta, name, bases, {**members, "__slots__": ()})

    class NamedTuple(tuple, metaclass=_TupleType):
        """A tuple whose fields have names, some of them defaults."""

        _fields = ()

        def __new__(cls, *values: Any, **named: Any) -> NamedTuple:
            """A tuple of these values. Raises TypeError if they are not those of the fields."""
            if named or len(values) != len(cls._fields):
                values = _complete(cls, values, named)
            return tuple.__new__(cls, values)

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        def __repr__(self) -> str:
            shown = (f"{field}={value!r}" for field, value in self._asdict().items())
            return f"{self.__class__.__name__}({', '.join(shown)})"

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes: Any) -> NamedTuple:
            return self.__class__(**{**self._asdict(), **changes})

    class _IntegerType(type):
        """Makes classes of whole numbers that have names; the first name of a number is its own."""

        def __new__(meta, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> type:
            made = super().__new__(meta, name, bases, members)
            made._by_name, made._by_value = {}, {}
            for key, value in members.items():
                if isinstance(value, int) and not key.startswith("_"):
                    member = made._by_value.get(value)
                    if member is None:
                        member = made._by_value[value] = int.__new__(made, value)
                        member.name = key
                    made._by_name[key] = member
                    setattr(made, key, member)
            return made

        def __call__(cls, value: int) -> IntEnum:
            try:
                return cls._by_value[value]
            except KeyError:
                raise ValueError(f"{value!r} is not a valid {cls.__qualname__}") from None

        def __getitem__(cls, name: str) -> IntEnum:
            return cls._by_name[name]

        def __iter__(cls) -> Iterator[IntEnum]:
            return iter(cls._by_value.values())

        def __len__(cls) -> int:
            return len(cls._by_value)

    class IntEnum(int, metaclass=_IntegerType):
        """A whole number with a name."""

        __str__ = int.__repr__

        @property
        def value(self) -> int:
            """The number."""
            return int(self)

        def __repr__(self) -> str:
            return f"<{self.__class__.__name__}.{self.name}: {int(self)}>"

        def __reduce__(self) -> tuple[Any, ...]:
            return self.__class__, (int(self),)


def _complete(cls: Any, values: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
    """A value for each field. Raises TypeError if some are missing, given twice, or unknown."""
    fields: Sequence[str] = cls._fields
    rest = fields[len(values) :]
    if not named and len(values) < len(fields) and cls._field_defaults.keys() >= set(rest):
        return [*values, *(cls._field_defaults[field] for field in rest)]
    given = dict(zip(fields, values, strict=False))
    if len(values) > len(fields) or given.keys() & named.keys() or named.keys() - set(fields):
        raise TypeError(
            f"{cls.__name__}({', '.join(fields)}) got {len(values)} values and {', '.join(named)}"
        )
    found = {**cls._field_defaults, **given, **named}
    if missing := [field for field in fields if field not in found]:
        raise TypeError(f"{cls.__name__}() needs {', '.join(missing)}")
    return [found[field] for field in fields]

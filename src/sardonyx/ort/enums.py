"""The enumerations of the onnxruntime API, with the manners of the original: no plain int passes for one.

Must not know who reads them.
"""

from __future__ import annotations

import operator
from typing import Any, ClassVar, SupportsIndex, TypeVar

E = TypeVar("E", bound="NamedValue")


class NamedValue:
    """A named integer: equal to its number and convertible to it, but neither ordered nor iterable."""

    __slots__ = ("_value",)
    __members__: ClassVar[dict[str, Any]] = {}
    _value: int

    def __new__(cls: type[E], value: SupportsIndex) -> E:
        """Give the member of this number, or an unnamed value."""
        number = operator.index(value)
        for member in cls.__members__.values():
            if member._value == number:
                return member  # type: ignore[no-any-return]
        return _make(cls, number)

    @property
    def name(self) -> str:
        """The name of the member, `???` for a number without one."""
        return next((name for name, m in type(self).__members__.items() if m._value == self._value), "???")

    @property
    def value(self) -> int:
        """The number."""
        return self._value

    def __int__(self) -> int:
        return self._value

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NamedValue):
            return self._value == other._value
        return isinstance(other, (int, float)) and self._value == other

    def __hash__(self) -> int:
        return self._value

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self.name}: {self._value}>"

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return type(self), (self._value,)


def _make(cls: type[E], number: int) -> E:
    member = object.__new__(cls)
    object.__setattr__(member, "_value", number)
    return member


def members(cls: type[NamedValue], **values: int) -> None:
    """Give a class its members."""
    cls.__members__ = {name: _make(cls, number) for name, number in values.items()}
    for name, member in cls.__members__.items():
        setattr(cls, name, member)


class GraphOptimizationLevel(NamedValue):
    """How far the graph may be changed before it is compiled."""

    __slots__ = ()
    ORT_DISABLE_ALL: ClassVar[GraphOptimizationLevel]
    ORT_ENABLE_BASIC: ClassVar[GraphOptimizationLevel]
    ORT_ENABLE_EXTENDED: ClassVar[GraphOptimizationLevel]
    ORT_ENABLE_LAYOUT: ClassVar[GraphOptimizationLevel]
    ORT_ENABLE_ALL: ClassVar[GraphOptimizationLevel]


class ExecutionMode(NamedValue):
    """Accepted for compatibility: one team of threads runs every program."""

    __slots__ = ()
    ORT_SEQUENTIAL: ClassVar[ExecutionMode]
    ORT_PARALLEL: ClassVar[ExecutionMode]


class ExecutionOrder(NamedValue):
    """Accepted for compatibility: the compiler orders the kernels."""

    __slots__ = ()
    DEFAULT: ClassVar[ExecutionOrder]
    PRIORITY_BASED: ClassVar[ExecutionOrder]
    MEMORY_EFFICIENT: ClassVar[ExecutionOrder]


members(
    GraphOptimizationLevel,
    ORT_DISABLE_ALL=0,
    ORT_ENABLE_BASIC=1,
    ORT_ENABLE_EXTENDED=2,
    ORT_ENABLE_LAYOUT=3,
    ORT_ENABLE_ALL=99,
)
members(ExecutionMode, ORT_SEQUENTIAL=0, ORT_PARALLEL=1)
members(ExecutionOrder, DEFAULT=0, PRIORITY_BASED=1, MEMORY_EFFICIENT=2)

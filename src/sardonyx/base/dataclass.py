"""The standard library's dataclasses, made in a fraction of the time: a cold start makes a hundred of them.

For type checkers they are those of the standard library; at run time `asdict`, `fields` and `replace` are of
this module. What is not used here is left out: order, `InitVar` and `ClassVar`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from inspect import get_annotations
from operator import attrgetter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Never

__all__ = ["asdict", "dataclass", "field", "fields", "replace"]

MISSING: Any = object()
"""Stands for a default that there is not."""

if TYPE_CHECKING:
    from dataclasses import Field, asdict, dataclass, field, fields, replace
else:

    class Field:
        """What a class says of one of its fields."""

        def __init__(self, **said: Any) -> None:
            self.__dict__.update(said)

    def field(
        *,
        default: Any = MISSING,
        default_factory: Any = MISSING,
        repr: bool = True,
        compare: bool = True,
        kw_only: bool = False,
    ) -> Any:
        """What is to be known of a field beyond its type."""
        said = {"default": default, "default_factory": default_factory, "kw_only": kw_only}
        return Field(repr=repr, compare=compare, **said)

    def dataclass(
        *, frozen: bool = False, slots: bool = False, eq: bool = True, kw_only: bool = False
    ) -> Callable[[type], type]:
        """A decorator that gives a class the methods which its annotations ask for."""
        return lambda cls: _made(cls, frozen, slots, eq, kw_only)

    def fields(owner: object) -> tuple[Field[Any], ...]:
        """The fields of a class that was made here, or of one of its objects."""
        return tuple(owner.__fields__.values())

    def replace(made: Any, /, **changes: Any) -> Any:
        """A copy of an object with other values of some fields."""
        return made.__class__(
            **{name: getattr(made, name) for name in made.__fields__ if name not in changes}, **changes
        )

    def asdict(made: Any) -> dict[str, Any]:
        """The fields of an object by name, those of objects in it too."""
        return {name: _plain(getattr(made, name)) for name in made.__fields__}


def _plain(value: Any) -> Any:
    if hasattr(value, "__fields__"):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return type(value)(_plain(inner) for inner in value) if type(value) in (list, tuple) else value


def _made(cls: Any, frozen: bool, slots: bool, eq: bool, kw_only: bool) -> type:
    own = {name: _field(cls, name, text, kw_only) for name, text in get_annotations(cls).items()}
    inherited = {name: f for base in reversed(cls.__mro__[1:]) for name, f in _fields(base).items()}
    table = inherited | own
    given = {name: member for name, member in cls.__dict__.items() if name not in own}
    if given.get("__hash__", MISSING) is None:
        del given["__hash__"]
    members = _methods(table, frozen, eq) | given
    if slots:
        taken = {name for base in cls.__mro__[1:] for name in getattr(base, "__slots__", ())}
        members["__slots__"] = tuple(name for name in own if name not in taken)
        members = {name: m for name, m in members.items() if name not in ("__dict__", "__weakref__")}
        members["__qualname__"] = cls.__qualname__
        cls = type(cls)(cls.__name__, cls.__bases__, members)
    else:
        for name in own.keys() & cls.__dict__.keys():
            delattr(cls, name)
        for name in members.keys() - given.keys():
            setattr(cls, name, members[name])
    if "__init__" not in given:
        cls.__init__ = _Init(cls, table, frozen)
    return cls  # type: ignore[no-any-return]


class _Init:
    """Stands for the `__init__` of a class until somebody asks for it: most classes are never called."""

    def __init__(self, cls: Any, table: Mapping[str, Field[Any]], frozen: bool) -> None:
        self._cls, self._table, self._frozen = cls, table, frozen

    def __get__(self, made: object, owner: type) -> Any:
        init = self._cls.__init__ = _init(self._cls, self._table, self._frozen)
        return init if made is None else init.__get__(made, owner)


def _fields(cls: type) -> Mapping[str, Field[Any]]:
    found: Mapping[str, Field[Any]] = cls.__dict__.get("__fields__", {})
    return found


def _field(cls: type, name: str, type_: Any, kw_only: bool) -> Field[Any]:
    given = cls.__dict__.get(name, MISSING)
    made: Any = given if isinstance(given, Field) else field(default=given)
    made.name, made.type, made.kw_only = name, type_, kw_only or made.kw_only
    return made  # type: ignore[no-any-return]


def _methods(table: Mapping[str, Field[Any]], frozen: bool, eq: bool) -> dict[str, Any]:
    methods: dict[str, Any] = {"__fields__": table, "__repr__": _repr}
    methods["__match_args__"] = tuple(name for name, f in table.items() if not f.kw_only)
    if eq:
        equal, hashed = _comparison([name for name, f in table.items() if f.compare])
        methods |= {"__eq__": equal, "__hash__": hashed if frozen else None}
    if frozen:
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
        methods |= {"__getstate__": _state, "__setstate__": _set_state}
    return methods


def _init(cls: type, table: Mapping[str, Field[Any]], frozen: bool) -> Any:
    """What sets all fields: code that classes alike share, with the names of this one."""
    known: dict[str, Any] = {"MISSING": MISSING, "__name__": cls.__module__}
    kinds: list[tuple[bool, bool]] = []
    defaults: dict[str, Any] = {}
    named: dict[str, Any] = {}
    fields = sorted(table.items(), key=lambda item: bool(item[1].kw_only))
    for at, (name, f) in enumerate(fields):
        slot: Any = getattr(cls, name, None) if frozen else None
        known[f"set{at}"] = slot.__set__ if hasattr(slot, "__set__") else partial(_set_any, name)
        known[f"make{at}"] = f.default_factory
        kinds.append((f.default_factory is not MISSING, bool(f.kw_only)))
        if kinds[-1][0] or f.default is not MISSING:
            (named if f.kw_only else defaults)[name] = f.default
        elif defaults and not f.kw_only:
            raise TypeError(f"{name} without a default follows fields with one")
    code = _code(tuple(kinds), frozen, hasattr(cls, "__post_init__"))
    names = {f"p{at}": name for at, (name, _) in enumerate(fields)}
    code = code.replace(
        co_varnames=tuple(names.get(name, name) for name in code.co_varnames),
        co_names=tuple(names.get(name, name) for name in code.co_names),
        co_qualname=f"{cls.__qualname__}.__init__",
    )
    init = FunctionType(code, known, "__init__", tuple(defaults.values()))
    init.__kwdefaults__ = named or None
    return init


@cache
def _code(kinds: tuple[tuple[bool, bool], ...], frozen: bool, goes_on: bool) -> CodeType:
    """The code of an `__init__` of fields p0, p1, ...: which are made if missing, and which are keywords."""
    heads, lines = ["self"], []
    for at, (is_made, is_keyword) in enumerate(kinds):
        if is_keyword and "*" not in heads:
            heads.append("*")
        heads.append(f"p{at}")
        value = f"make{at}() if p{at} is MISSING else p{at}" if is_made else f"p{at}"
        lines.append(f"set{at}(self, {value})" if frozen else f"self.p{at} = {value}")
    lines += ["self.__post_init__()"] if goes_on else []
    made: dict[str, Any] = {}
    exec(f"def __init__({', '.join(heads)}):\n " + "\n ".join(lines or ["pass"]), made)
    code: CodeType = made["__init__"].__code__
    return code


def _set_any(name: str, made: object, value: object) -> None:
    object.__setattr__(made, name, value)


def _comparison(names: Sequence[str]) -> tuple[Any, Any]:
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    return equal, hashed


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, f in self.__fields__.items() if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__fields__]


def _set_state(self: Any, state: Sequence[Any]) -> None:
    for name, value in zip(self.__fields__, state, strict=True):
        object.__setattr__(self, name, value)


def _refuse_to_set(self: Any, name: str, value: object) -> Never:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> Never:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")

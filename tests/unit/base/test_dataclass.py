"""Classes made here behave as those that the standard library makes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from sardonyx.base.dataclass import asdict, dataclass, field, fields, replace

OPTIONS: list[dict[str, Any]] = [
    {},
    {"slots": True},
    {"frozen": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "eq": False},
    {"eq": False, "slots": True},
    {"frozen": True, "slots": True, "kw_only": True},
]


def bare(field: Any) -> type:
    """A class before it is decorated, its fields described by that function."""

    class Point:
        """What is decorated."""

        x: int
        label: str = "origin"
        tags: list[str] = field(default_factory=list)
        hidden: Any = field(default=None, compare=False)

        def twice(self) -> int:
            """Something of its own."""
            return 2 * self.x

    return Point


@pytest.fixture(params=OPTIONS, ids=str)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """The class as it is made here, and as the standard library makes it."""
    return dataclass(**request.param)(bare(field)), dataclasses.dataclass(**request.param)(
        bare(dataclasses.field)
    )


def observed(cls: Any) -> list[Any]:
    """What calls of a class give, and which fail."""
    library = dataclasses if dataclasses.is_dataclass(cls) else None
    changed, names = (library.replace, library.fields) if library else (replace, fields)
    found: list[Any] = []
    for args, named in [
        ((1,), {}),
        ((), {"x": 1}),
        ((1, "a", ["b"], 3), {}),
        ((), {}),
        ((1, 2, 3, 4, 5), {}),
    ]:
        try:
            made = cls(*args, **named)
        except TypeError:
            found.append(TypeError)
            continue
        changed, names = (
            (dataclasses.replace, dataclasses.fields) if dataclasses.is_dataclass(cls) else (replace, fields)
        )
        other = changed(made, hidden=7)
        found += [repr(made), repr(other), made == other, made == changed(made, x=2), made == 1, made.twice()]
        found += [made.tags is changed(made).tags, hasattr(made, "__dict__"), copy.copy(made) == made]
        found += [
            [f.name for f in names(made)],
            cls.__match_args__,
            cls.__name__,
            cls.__doc__,
            cls.__module__,
        ]
    return found


def test_what_is_made_is_what_the_standard_library_makes(pair: tuple[Any, Any]) -> None:
    ours, theirs = map(observed, pair)
    assert ours == theirs
    assert TypeError in ours


def test_the_method_that_is_written_is_of_its_class() -> None:
    @dataclass(frozen=True)
    class Point:
        x: int

    assert (Point.__init__.__module__, Point.__init__.__qualname__) == (
        __name__,
        f"{Point.__qualname__}.__init__",
    )


def test_what_can_be_changed_and_hashed_is_the_same(pair: tuple[Any, Any]) -> None:
    def found(cls: Any) -> list[Any]:
        made = cls(x=1, tags=())
        results: list[Any] = []
        for change in (lambda: setattr(made, "x", 2), lambda: delattr(made, "label"), lambda: hash(made)):
            try:
                change()
                results.append(None)
            except (AttributeError, TypeError) as error:
                results.append(type(error))
        return [*results, made.x]

    ours, theirs = map(found, pair)
    assert ours == theirs


def test_equal_objects_have_equal_hashes() -> None:
    cls: Any = dataclass(frozen=True)(bare(field))
    assert hash(cls(1, tags=())) == hash(cls(1, tags=(), hidden=2))


@dataclass(frozen=True, slots=True)
class _Base:
    x: int
    made: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made.append(self.x)


@dataclass(frozen=True, slots=True)
class _Derived(_Base):
    y: int = 2

    def __repr__(self) -> str:
        return "its own"


class _Plain(_Derived):
    """Inherits all of it."""


def test_fields_are_inherited_and_own_methods_stay() -> None:
    assert _Derived(1) == _Derived(1, [1][:0], 2)
    assert [f.name for f in fields(_Derived)] == ["x", "made", "y"]
    assert (_Derived(5).made, repr(_Derived(5)), repr(_Base(5))) == ([5], "its own", "_Base(x=5, made=[5])")
    assert vars(_Derived)["__slots__"] == ("y",)


def test_frozen_objects_are_kept_and_read_back() -> None:
    for value in (_Derived(3), _Plain(4)):
        assert pickle.loads(pickle.dumps(value)) == value


def test_as_a_dictionary_with_what_is_inside() -> None:
    @dataclass(frozen=True, slots=True)
    class Inner:
        size: int

    @dataclass()
    class Outer:
        one: Inner
        many: tuple[Inner, ...]
        named: dict[str, Inner]
        text: str = "a"

    made = asdict(Outer(Inner(1), (Inner(2),), {"b": Inner(3)}))
    assert made == {"one": {"size": 1}, "many": ({"size": 2},), "named": {"b": {"size": 3}}, "text": "a"}


def test_fields_without_a_default_come_first() -> None:
    @dataclass()
    class Mixed:
        x: int = 1
        y: int  # type: ignore[misc]

    with pytest.raises(TypeError, match="y without a default"):
        Mixed()


def test_classes_alike_share_code_and_keep_their_names() -> None:
    @dataclass(frozen=True)
    class Length:
        metres: float
        exact: bool = field(default=False, kw_only=True)

    @dataclass(frozen=True)
    class Weight:
        grams: float
        heavy: bool = field(default=True, kw_only=True)

    assert (Length(2.0, exact=True).exact, Weight(grams=3.0).heavy) == (True, True)
    with pytest.raises(TypeError, match=r"Weight\.__init__\(\).*metres"):
        Weight(metres=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        Length(2.0, True)  # type: ignore[misc]

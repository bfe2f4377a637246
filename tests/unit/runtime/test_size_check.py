"""Which program serves the sizes that are fed, and what is said where none does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.errors import ShapeError
from sardonyx.runtime.data import ProgramData
from sardonyx.runtime.size_check import Alternatives, Overrides, SizeCheck


def data(*shapes: tuple[int | str, ...]) -> ProgramData:
    names = [f"x{n}" for n in range(len(shapes))]
    symbols: dict[str, tuple[str, int, int]] = {}
    for number, shape in enumerate(shapes):
        for axis, size in enumerate(shape):
            if isinstance(size, str):
                symbols.setdefault(size, (size, number, axis))
    return ProgramData(
        inputs=tuple(TensorInfo(name, "tensor(float)", None) for name in names),
        outputs=(),
        initializer_inputs=(),
        metadata=ModelMeta(),
        fallbacks=(),
        symbols=tuple(symbols.values()),
        input_shapes=shapes,
        storages=(),
        segments=(),
        results=(),
    )


def feeds(*shapes: tuple[int, ...]) -> list[Any]:
    return [np.zeros(shape, np.float32) for shape in shapes]


def test_sizes_are_read_from_the_feeds() -> None:
    check = SizeCheck(data(("N", 4), ("N", "M")), whole=True)
    assert check.sizes(feeds((2, 4), (2, 7))) == ({"N": 2, "M": 7}, None)


def test_a_declared_size_is_kept() -> None:
    with pytest.raises(ShapeError, match="input 'x0': axis 1 has size 5, not 4"):
        SizeCheck(data(("N", 4)), whole=True).sizes(feeds((2, 5)))


def test_an_empty_axis_has_a_program_of_its_own() -> None:
    check = SizeCheck(data(("N", 4)), whole=True)
    assert check.sizes(feeds((0, 4)))[1] == Overrides(fixed=(("N", 0),))
    assert SizeCheck(data(("N", 4)), whole=False).sizes(feeds((0, 4)))[1] is None


def test_one_name_for_two_sizes() -> None:
    check = SizeCheck(data(("N",), ("N",)), whole=True)
    fed = feeds((2,), (3,))
    assert check.sizes(fed)[1] == Overrides(distinct=("N",))
    with (
        pytest.raises(ShapeError, match="input 'x1': axis 0 has size 3, but N is 2"),
        Overrides(distinct=("N",)).explained(fed, check),
    ):
        raise ShapeError("Add_0: sizes differ")


def test_other_programs_are_made_once_and_their_errors_kept() -> None:
    made: list[Overrides] = []

    def make(overrides: Overrides) -> str:
        made.append(overrides)
        if overrides.distinct:
            raise ShapeError("it cannot be")
        return "program"

    alternatives = Alternatives(make)
    empty = Overrides(fixed=(("N", 0),))
    assert alternatives.get(empty) == alternatives.get(empty) == "program"
    for _ in range(2):
        with pytest.raises(ShapeError, match="it cannot be"):
            alternatives.get(Overrides(distinct=("N",)))
    assert made == [empty, Overrides(distinct=("N",))]


def test_a_body_has_no_other_programs() -> None:
    with pytest.raises(ShapeError, match="contradict each other: N = 0"):
        Alternatives[str](None).get(Overrides(fixed=(("N", 0),)))

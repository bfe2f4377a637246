"""Pools along lines and then along pixels: the same numbers, where fewer elements are read so."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.passes.separated import separated
from tests.unit.passes.graphs import GOAL, check, parse, prims


def pooled(rng: np.random.Generator, node: str, shape: tuple[int, ...], type_: str = "float") -> Graph:
    """The graph after the pass of a pool over images of unknown number and size, and of known ones."""
    sizes = ",".join(["N", str(shape[1]), *(f"S{n}" for n in range(len(shape) - 2))])
    unknown = ",".join(["N", str(shape[1]), *(f"T{n}" for n in range(len(shape) - 2))])
    numpy_type = {"float": np.float32, "double": np.float64, "float16": np.float16, "uint8": np.uint8}[type_]
    feed = (rng.standard_normal(shape) * 9).astype(numpy_type)
    changed = None
    for size in (sizes, ",".join(map(str, shape))):
        graph = parse(f"g ({type_}[{size}] x) => ({type_}[{unknown}] y) {{ y = {node} (x) }}")
        changed = check(separated, graph, feed, length=200)
    assert changed is not None
    return changed


def reductions(graph: Graph) -> int:
    """How many reduce over windows, not over those alone that are cut off."""
    return prims(graph).count("window")


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
@pytest.mark.parametrize(
    ("attributes", "shape"),
    [
        ("kernel_shape = [3,3,3], pads = [1,1,1,1,1,1]", (1, 2, 5, 6, 7)),
        ("kernel_shape = [3,3,3], pads = [0,1,2,2,1,0], strides = [2,1,2]", (2, 3, 6, 7, 9)),
        ("kernel_shape = [1,5,5], pads = [0,2,2,0,2,2]", (1, 2, 2, 9, 11)),
        ("kernel_shape = [5,5], pads = [2,2,2,2]", (2, 3, 13, 9)),
        ("kernel_shape = [4,4], strides = [4,4]", (1, 3, 17, 18)),
        ("kernel_shape = [7,5], strides = [5,6], pads = [3,0,1,2]", (1, 3, 19, 23)),
        ("kernel_shape = [3,5], dilations = [2,3], pads = [2,1,0,4]", (1, 3, 11, 15)),
        ("kernel_shape = [3,3], strides = [3,3], ceil_mode = 1", (1, 3, 11, 12)),
        ("kernel_shape = [6,6], strides = [2,3], pads = [1,2,3,0], ceil_mode = 1", (1, 2, 14, 13)),
    ],
)
def test_numbers_stay(rng: np.random.Generator, op: str, attributes: str, shape: tuple[int, ...]) -> None:
    changed = pooled(rng, f"{op} <{attributes}>", shape)
    assert reductions(changed) >= 2


@pytest.mark.parametrize("type_", ["double", "float16", "uint8"])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_elements_may_have_any_type(rng: np.random.Generator, op: str, type_: str) -> None:
    if (op, type_) != ("AveragePool", "uint8"):
        changed = pooled(rng, f"{op} <kernel_shape = [5,5], pads = [2,2,2,2]>", (1, 3, 9, 10), type_)
        assert reductions(changed) == 2


def test_pads_that_count(rng: np.random.Generator) -> None:
    node = "AveragePool <kernel_shape = [5,5], pads = [2,1,2,3], count_include_pad = 1>"
    assert reductions(pooled(rng, node, (1, 3, 9, 10))) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("place", [(4, 5), (0, 0), (1, 9), (8, 8)])
def test_what_is_not_finite_reaches_the_same_windows(op: str, value: float, place: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal((1, 2, 9, 10)).astype(np.float32)
    x[0, 0, *place] = value
    graph = parse(
        "g (float[1,2,9,10] x) => (float[1,2,9,10] y)"
        f" {{ y = {op} <kernel_shape = [5,5], pads = [2,2,2,2]> (x) }}"
    )
    check(separated, graph, x, length=25)


def windows(x: Value, fill: float | None = None) -> Value:
    """5x5 windows of a tensor that is padded by a number."""
    padded = x if fill is None else x.pad((0, 2, 2), (0, 2, 2), const(np.float32(fill)))
    return padded.window((1, 2), (5, 5), (1, 1), (1, 1))


LATE, CUT, WHOLE = [(0, 2, 0), (0, 0, 2)], [(0, 0, 2)], [(0, 2, 2)]


@pytest.mark.parametrize(
    ("prim", "fill", "pads"),
    [
        ("sum", 0.0, CUT),
        ("sum", 2.0, WHOLE),
        ("rmax", -np.inf, CUT),
        ("rmax", 2.0, LATE),
        ("rmin", np.inf, CUT),
        ("rmin", -np.inf, LATE),
    ],
)
def test_lines_are_padded_once_they_are_few(prim: str, fill: float, pads: list[tuple[int, ...]]) -> None:
    """And not at all where windows that reach beyond the first and last may be cut off there."""
    x = placeholder("x", dt.F32, (3, 12, 14))
    graph = Graph((x,), (("y", windows(x, fill).reduce(prim, (3, 4))),))
    changed = check(separated, graph, np.arange(504, dtype=np.float32).reshape(3, 12, 14), length=25)
    assert [v.attrs["low"] for v in changed.order() if v.prim == "pad"] == pads


@pytest.mark.parametrize("before", [1, 0])
def test_samples_that_are_padded_too_are_not_cut_off(before: int) -> None:
    x = placeholder("x", dt.F32, (3, 12, 14))
    padded = x.pad((before, 2, 2), (0, 2, 2), const(np.float32(0)))
    graph = Graph((x,), (("y", padded.window((1, 2), (5, 5), (1, 1), (1, 1)).reduce("sum", (3, 4))),))
    changed = check(separated, graph, np.arange(504, dtype=np.float32).reshape(3, 12, 14), length=25)
    ends = [v.attrs["low"] for v in changed.order() if v.prim == "pad"]
    assert ends == ([(1, 2, 0), (0, 0, 2)] if before else CUT)


def test_many_windows_in_the_pads_are_not_cut_off() -> None:
    x = placeholder("x", dt.F32, (3, 20, 22))
    padded = x.pad((0, 4, 4), (0, 4, 4), const(np.float32(0)))
    graph = Graph((x,), (("y", padded.window((1, 2), (9, 9), (1, 1), (1, 1)).reduce("sum", (3, 4))),))
    changed = check(separated, graph, np.arange(1320, dtype=np.float32).reshape(3, 20, 22), length=81)
    assert "concat" not in prims(changed)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_the_result_lies_where_it_is_asked_for(op: str) -> None:
    node = f"{op} <kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]>"
    (_, y), *_ = pooled(np.random.default_rng(0), node, (2, 3, 12, 14)).outputs
    while y.kind == "map":
        y = y.args[0]
    assert (y.prim, y.args[0].kind) == ("reshape", "reduce")


def test_what_gains_nothing_is_left_alone() -> None:
    x = placeholder("x", dt.F32, (64, 40, 42))
    blocks = placeholder("x", dt.F32, (3, 12, 14, 16))
    alone = [
        windows(x).reduce("sum", (3,)),
        windows(x).reduce("prod", (3, 4)),
        x.window((1, 2), (1, 5), (1, 1), (1, 1)).reduce("rmax", (4,)),
        x.window((1, 2), (2, 2), (2, 2), (1, 1)).reduce("rmax", (3, 4)),
        blocks.window((1, 2), (5, 5), (1, 1), (1, 1)).reduce("rmax", (4, 5)),
    ]
    for value in alone:
        source = blocks if value.rank == 6 else x
        graph = Graph((source,), (("y", value),))
        assert separated(graph, GOAL) is graph


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_lines_whose_pixels_lie_apart_are_left_alone_unless_they_are_padded(pads: list[int]) -> None:
    """A pad stores them side by side, and whole."""
    graph = parse(
        f"""g (float[2,12,14,5] x) => (float[?] y) {{
            t = Transpose<perm = [0, 3, 1, 2]>(x)
            y = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = {pads}>(t)
        }}"""
    )
    changed = check(separated, graph, np.arange(1680, dtype=np.float32).reshape(2, 12, 14, 5), length=9)
    assert reductions(changed) == 1 + any(pads)
    assert "concat" not in prims(changed)


def test_pads_beyond_all_lines_are_not_looked_at_one_by_one() -> None:
    pads = f"{2**40}, 2, 2, 2"
    graph = parse(
        f"g (float[1,1,5,5] x) => (float y) {{ y = MaxPool<kernel_shape = [5, 5], pads = [{pads}]>(x) }}"
    )
    assert "window" in prims(separated(graph, GOAL))

"""Loop nests become calls; those of one structure share a function and differ in buffers."""

from __future__ import annotations

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir.place import Storage
from sardonyx.kernels.call import Address
from sardonyx.kernels.loops import Emissions, elements, flops, touched, work
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Kernel, Load, Pick, Reduce, Reduced, Store, along

N = dims.symbol("n")


def kernel(name: str) -> tuple[Kernel, Storage, Storage]:
    source, result = (Storage(kind, dt.F32, N) for kind in ("input", "arena"))
    axis = Axis("i", N)
    x, y = Buffer("x", dt.F32, "in", source), Buffer("y", dt.F32, "out", result)
    body = (Store(y, along(axis), (), Apply("exp", (Load(x, along(axis), dt.F32),), dt.F32)),)
    return Kernel(name, (axis,), body, (name,)), source, result


def test_the_second_of_equal_kernels_is_called_over_its_own_buffers() -> None:
    emissions = Emissions(targets.detect())
    (one, *first), (two, *second) = kernel("one"), kernel("two")
    (call, ir), (other, other_ir) = emissions.call(one), emissions.call(two)
    assert (call.symbol, ir) == (other.symbol, other_ir)
    assert f"@{call.symbol}(" in ir
    assert (call.plan, other.plan, other.origins) == ("one", "two", ("two",))
    for c, (source, result) in ((call, first), (other, second)):
        assert (c.reads, c.writes) == ((source,), (result,))
        assert [w.storage for w in c.words if isinstance(w, Address)] == [source, result]
    assert N in call.words


def test_what_is_touched_and_how_much_is_done() -> None:
    nest, source, result = kernel("k")
    assert touched(nest) == ((source,), (result,))
    assert (work(nest), flops(nest)) == (2 * N, N)
    assert elements(nest, (source, result)) == (N, N)
    inner = Axis("j", 10)
    total = Reduced("t", dt.F32, frozenset())
    sums = Kernel("s", (Axis("i", 3),), (Reduce(total, "sum", (inner,), total),), ())
    assert work(sums) == flops(sums) == 30, "a point costs one at least, a step of a sum is one"


def test_what_is_the_same_for_a_row_is_computed_once_and_conversions_are_no_functions() -> None:
    row, column = Axis("i", N), Axis("j", 10)
    x, scale, y = (
        Buffer(name, kind, "in", Storage("input", kind, N))
        for name, kind in (("x", dt.F32), ("s", dt.F32), ("y", dt.I8))
    )
    root = Apply("sqrt", (Load(scale, along(row), dt.F32),), dt.F32)
    scaled = Apply("mul", (Load(x, along(row).scale(10) + along(column), dt.F32), root), dt.F32)
    whole = Apply("add", (Apply("cast", (scaled,), dt.I8), Apply("cast", (scaled,), dt.I8)), dt.I8)
    store = Store(y, along(row).scale(10) + along(column), (), whole)
    nest = Kernel("q", (row, column), (store,), ())
    assert flops(nest) == 10 * N + N
    largest = Reduce(Reduced("t", dt.I8, frozenset([row])), "rmax", (column,), whole)
    assert flops(Kernel("m", (row,), (largest,), ())) == 10 * N + N


def test_of_a_table_only_what_is_picked_counts() -> None:
    table, result, at = (
        Storage("input", kind, size) for kind, size in ((dt.F32, 9), (dt.F32, N), (dt.I64, N))
    )
    axis = Axis("i", N)
    index = Load(Buffer("at", dt.I64, "in", at), along(axis), dt.I64)
    picked = Load(Buffer("x", dt.F32, "in", table), Affine(), dt.F32, (Pick(index, 1, 9),))
    gather = Kernel("g", (axis,), (Store(Buffer("y", dt.F32, "out", result), along(axis), (), picked),), ())
    assert elements(gather, (table, at, result)) == (N, N, N)

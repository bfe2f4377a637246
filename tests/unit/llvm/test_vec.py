"""IR text: constants, loops and branches run as written, and modules come apart into parts that fit."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.llvm import vec
from sardonyx.llvm.vec import Function, Module, V, float_, int_
from sardonyx.object import engine
from tests.unit.llvm.written import run


def test_a_value_knows_its_lanes() -> None:
    value = V("%x", "<4 x i32>")
    assert (value.lanes, value.scalar, str(value)) == (4, "i32", "<4 x i32> %x")


@pytest.mark.parametrize("number", [0.0, -0.0, 0.1, 1e-45, 1e300, float("inf"), float("nan")])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_float_constants_have_the_bits_of_their_type(number: float, real: type) -> None:
    type_ = {np.float32: "<4 x float>", np.float64: "<4 x double>"}[real]
    (got,) = run(lambda f, _: [float_(number, type_)], np.zeros(1, np.int32))
    with np.errstate(over="ignore"):
        expected = np.full(4, number).astype(real)
    assert np.array_equal(got, expected, equal_nan=True)
    assert np.array_equal(np.signbit(got), np.signbit(expected))


def test_loops_carry_values_and_may_run_no_time() -> None:
    def write(f: Function, n: V) -> list[V]:
        with f.loop(int_(2), n, 3, [int_(0), int_(100)]) as loop:
            total, least = loop.carried
            loop.next(f.add(total, loop.index), f.smin(least, loop.index))
        with f.repeat(lambda a: f.icmp("sgt", a, int_(1)), [n]) as halves:
            halves.next(f.binary("sdiv", halves.carried[0], int_(2)))
        return [*loop.carried, halves.carried[0]]

    for n in (0, 2, 3, 12):
        steps = range(2, n, 3)
        half = n
        while half > 1:
            half //= 2
        assert [int(v[0]) for v in run(write, np.array([n]))] == [sum(steps), min(steps, default=100), half]


def test_branches_and_memory() -> None:
    def write(f: Function, x: V, y: V) -> list[V]:
        place = f.alloca("i64", 2)
        f.store(x, place)
        with f.when(f.icmp("slt", x, y)):
            f.store(y, place)
        return [f.load(place, "i64"), f.smax(x, y), f.select(f.icmp("eq", x, y), int_(1), int_(2))]

    for x, y in ((1, 2), (2, 1), (3, 3)):
        assert [int(v[0]) for v in run(write, np.array([x]), np.array([y]))] == [max(x, y)] * 2 + [
            1 + (x != y)
        ]


def test_identities_write_nothing() -> None:
    f, x = Function(Module(), "f", []), V("%x", "i64")
    assert f.add(x, int_(0)) is x
    assert f.mul(x, int_(1)) is x
    assert f.mul(x, int_(0)) == int_(0)
    assert f.sub(x, int_(0)) is x
    assert f.gep(V("%p", "ptr"), int_(0), "i8").text == "%p"
    assert f.convert("zext", x, "i64") is x
    assert f.fresh() == "%v1", "no line was written"


def test_masks_and_lanes() -> None:
    def write(f: Function, x: V, n: V) -> list[V]:
        place = f.alloca("i32", 8)
        f.store(int_(7, "<8 x i32>"), place, 64)
        mask = f.tail_mask(n, 8)
        f.masked_store(x, place, mask)
        read = f.masked_load(place, "<8 x i32>", mask, int_(-1, "<8 x i32>"))
        lane = f.splat(f.extract(x, 3), 8)
        return [f.load(place, "<8 x i32>", 64), read, lane, f.insert(x, int_(9, "i32"), 0), f.iota(8, "i32")]

    x = np.arange(10, 18, dtype=np.int32)
    for n in (0, 3, 8, 100):
        stored, read, splat, inserted, iota = run(write, x, np.array([n]))
        count = min(n, 8)
        assert stored.tolist() == [*x[:count], *[7] * (8 - count)]
        assert read.tolist() == [*x[:count], *[-1] * (8 - count)]
        assert splat.tolist() == [13] * 8
        assert inserted.tolist() == [9, *x[1:]]
        assert iota.tolist() == list(range(8))


def module() -> Module:
    """Four functions that call each other, and a table."""
    made = Module()
    table = made.table("numbers", "i64", [int_(1), int_(2)])
    for number in range(4):
        f = Function(made, f"f{number}", [("x", "i64")], "i64", internal=number > 0)
        x = f.params[0]
        for _ in range(10 * number + 1):
            x = f.binary("mul", x, x)
        if number < 3:
            x = f.call(f"f{number + 1}", "i64", x)
        f.ret(f.add(x, f.load(f.gep(table, int_(1), "i64"), "i64")))
        f.finish()
    return made


@pytest.mark.parametrize("count", [1, 2, 4])
def test_parts_define_everything_once_and_compile(count: int) -> None:
    parts = module().parts(count)
    assert len(parts) == count
    defined = [name for text in parts for name in re.findall(r"^define .*?@(\w+)\(", text, re.M)]
    assert sorted(defined) == ["f0", "f1", "f2", "f3"]
    assert all(engine.compile_object(text, targets.detect()) for text in parts)


def later(module: Module, written: list[str]) -> None:
    """Two functions that are written if they are asked for, of which the first calls the second."""
    for name, called in (("f0", "f1"), ("f1", "")):
        f = Function(module, name, [("x", "i64")], "i64", internal=True)

        def write(f: Function = f, called: str = called) -> None:
            written.append(f.name)
            f.ret(f.call(called, "i64", f.params[0]) if called else f.params[0])
            f.finish()

        f.finish_later(write)


def test_a_part_has_functions_written_that_are_in_it_and_no_others() -> None:
    made, written = Module(), list[str]()
    later(made, written)
    assert made.has("f1") and not written
    first = made.part("f0")
    assert written == ["f0"] and "declare hidden i64 @f1(i64)" in first
    whole = made.text()
    assert written == ["f0", "f1"] and whole.index("@f0(i64 %x)") < whole.index("@f1(i64 %x)")
    assert made.text() == whole and written == ["f0", "f1"]


def test_a_module_in_parts_has_all_functions_written() -> None:
    made, written = Module(), list[str]()
    later(made, written)
    assert sum(text.count("define ") for text in made.parts(2)) == 2


def test_a_wrong_pair_of_types_is_caught_where_it_is_written() -> None:
    f = Function(vec.Module(), "f", [])
    with pytest.raises(AssertionError, match="add of"):
        f.binary("add", int_(1), int_(1, "i32"))


# ---- what is known in a block

Writer = Callable[[Function], object]


def lines(write: Writer) -> list[str]:
    """The instructions of a function that `write` writes."""
    module = Module()
    f = Function(module, "f", [("p", "ptr"), ("n", "i64"), ("x", "float")])
    write(f)
    f.ret()
    f.finish()
    return [line.strip() for line in module.text().splitlines() if line.startswith("  ")][:-1]


def count(write: Writer, word: str) -> int:
    """How many instructions have a word."""
    return sum(word in line for line in lines(write))


def in_two_blocks(f: Function) -> None:
    """The same product in an outer and an inner block, and again after it."""
    f.mul(f.params[1], int_(3))
    with f.when(f.icmp("sgt", f.params[1], int_(0))):
        f.mul(f.params[1], int_(3))
        f.mul(f.params[1], int_(3))
    f.mul(f.params[1], int_(3))


@pytest.mark.parametrize(
    ("write", "word", "times"),
    [
        (lambda f: [f.mul(f.params[1], int_(3)) for _ in range(2)], "mul", 1),
        (lambda f: [f.mul(f.params[1], int_(n)) for n in (3, 5)], "mul", 2),
        (in_two_blocks, "mul", 3),
        (lambda f: [f.splat(f.params[2], 16) for _ in range(2)], "shufflevector", 1),
        (lambda f: [f.load(f.params[0], "float") for _ in range(2)], "load", 1),
        (lambda f: [f.load(f.params[0], kind) for kind in ("float", "i32")], "load", 2),
    ],
)
def test_what_is_known_is_not_written_again(write: Writer, word: str, times: int) -> None:
    assert count(write, word) == times


def store(f: Function) -> None:
    f.store(f.params[2], f.params[0])


def call(f: Function) -> None:
    f.call("other", "i64", f.params[0])


def branch(f: Function) -> None:
    with f.when(f.icmp("sgt", f.params[1], int_(0))):
        pass


@pytest.mark.parametrize("between", [store, call, branch])
def test_memory_that_may_have_changed_is_read_again(between: Callable[[Function], None]) -> None:
    def write(f: Function) -> None:
        f.load(f.params[0], "float")
        between(f)
        f.load(f.params[0], "float")

    assert count(write, "load") == 2


def test_fixed_displacements_add_up() -> None:
    def write(f: Function) -> V:
        first = f.gep(f.gep(f.params[0], int_(16), "float"), int_(32), "float")
        assert first == f.gep(f.gep(f.params[0], int_(32), "float"), int_(16), "float")
        return f.gep(f.gep(f.params[0], int_(1), "double"), int_(1), "float")

    assert [line.partition("= ")[2] for line in lines(write)] == [
        "getelementptr float, ptr %p, i64 16",
        "getelementptr float, ptr %p, i64 48",
        "getelementptr float, ptr %p, i64 32",
        "getelementptr double, ptr %p, i64 1",
        "getelementptr float, ptr %v4, i64 1",
    ]


def test_products_of_numbers_are_numbers() -> None:
    assert lines(lambda f: f.mul(int_(6), int_(7))) == []
    module = Module()
    assert Function(module, "f", []).mul(int_(6), int_(7)) == int_(42)

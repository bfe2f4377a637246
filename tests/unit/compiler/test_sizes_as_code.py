"""The sizes in a call's words are expression trees: Python's evaluator reads them, and so can native code.

A program that runs without Python needs the second. This writes the words of real calls as LLVM IR and
compares; functions of sizes that may refuse them (`broadcast`) would have to report that, too.
"""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base.dim import Applied, Dim
from sardonyx.base.evaluator import Evaluator
from sardonyx.base.functions import load
from sardonyx.base.symbol import Symbol
from sardonyx.base.trace import Trace
from sardonyx.compiler.compile import simplify
from sardonyx.fuse.partition import partition
from sardonyx.kernels.call import Address, Entry
from sardonyx.llvm.vec import Function, Module, V, int_
from sardonyx.targets import backend
from tests.unit.objects import compiled, loaded
from tests.unit.passes.graphs import GOAL, parse

M, N = dims.symbol("M"), dims.symbol("N")


class Written:
    """Writes sizes as instructions; each expression below them once."""

    def __init__(self, f: Function, symbols: dict[str, V]) -> None:
        self.f, self.symbols = f, symbols
        self.done: dict[Applied, V] = {}

    def dim(self, dim: Dim) -> V:
        if isinstance(dim, int):
            return int_(dim)
        total = int_(0)
        for monomial, factor in dim.terms:
            product = int_(factor)
            for atom in monomial:
                product = self.f.mul(product, self.atom(atom))
            total = self.f.add(total, product)
        return total

    def atom(self, atom: Symbol | Applied) -> V:
        if isinstance(atom, Symbol):
            return self.symbols[atom.name]
        if atom not in self.done:
            self.done[atom] = self.applied(atom.fn, *map(self.dim, atom.args))
        return self.done[atom]

    def applied(self, fn: str, *args: V) -> V:
        f = self.f
        match fn:
            case "floordiv":
                quotient, rest = f.binary("sdiv", *args), f.binary("srem", *args)
                unlike = f.icmp("slt", f.binary("xor", rest, args[1]), int_(0))
                inexact = f.icmp("ne", rest, int_(0))
                return f.sub(quotient, f.convert("zext", f.binary("and", unlike, inexact), "i64"))
            case "truncdiv":
                return f.binary("sdiv", *args)
            case "max":
                return f.smax(*args)
            case "min":
                return f.smin(*args)
            case "where":
                return f.select(f.icmp("ne", args[0], int_(0)), *args[1:])
            case "less" | "equal":
                return f.convert("zext", f.icmp("slt" if fn == "less" else "eq", *args), "i64")
        raise AssertionError(f"{fn} is not written")


def natively(sizes: list[Dim], given: dict[str, int]) -> list[int]:
    module = Module()
    f = Function(module, "sizes", [("symbols", "ptr"), ("out", "ptr")])
    symbols, out = f.params
    written = Written(f, {name: f.word(symbols, n) for n, name in enumerate(given)})
    for n, size in enumerate(sizes):
        f.store(written.dim(size), f.gep(out, int_(n), "i64"))
    f.ret()
    f.finish()
    code = loaded([compiled(module.text(), targets.detect())], targets.detect())
    values, results = np.array(list(given.values()), np.int64), np.zeros(len(sizes), np.int64)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(code.address("sizes"))(
        values.ctypes.data, results.ctypes.data
    )
    return results.tolist()


def in_python(sizes: list[Dim], given: dict[str, int]) -> list[int]:
    evaluator = Evaluator(list(given))
    slots = [evaluator.add(size) for size in sizes]
    values = load(evaluator.code())(*(given[name] for name in evaluator.used))
    return [values[slot] for slot in slots]


def words_of(text: str) -> list[Dim]:
    """The sizes in the argument words of a graph's calls."""
    native = backend(GOAL)
    fusion = partition(simplify(parse(text), native, Trace.off()), native.native)
    found: list[Dim] = []
    for group in fusion.groups:
        for call, _ in native.calls(group, fusion.places):  # type: ignore[attr-defined]
            words = (w.offset if isinstance(w, Address) else w for w in call.words)
            found += [w for w in (*words, call.work, call.scratch_bytes) if not isinstance(w, Entry | int)]
    return found


@pytest.mark.parametrize(
    "text",
    [
        "g (float[M,N] x) => (float[M,N] y) { t = Transpose(x) p = MatMul(x, t) y = MatMul(p, x) }",
        "g (float[1,3,M,N] x) => (float[1,3,H,W] y)"
        " { y = AveragePool<kernel_shape = [3, 2], strides = [2, 2], pads = [1, 0, 0, 1]>(x) }",
        "g (float[M,N] x) => (float[M,K] y) { s = Slice(x, b, e, a) t = Concat<axis = 1>(s, x)"
        " y = Exp(t) b = Constant<value_ints = [-5]>()"
        " e = Constant<value_ints = [9]>() a = Constant<value_ints = [1]>() }",
    ],
    ids=["products", "windows", "slices"],
)
@pytest.mark.parametrize("given", [{"M": 7, "N": 12}, {"M": 64, "N": 3}])
def test_words_of_calls_are_the_same_in_native_code(text: str, given: dict[str, int]) -> None:
    sizes = words_of(text)
    assert len(sizes) > 4
    assert natively(sizes, given) == in_python(sizes, given)


@pytest.mark.parametrize("given", [{"M": 7, "N": -3}, {"M": -7, "N": 3}, {"M": 6, "N": 3}])
def test_functions_of_sizes_are_the_same_in_native_code(given: dict[str, int]) -> None:
    m, n = dims.symbol("M", None), dims.symbol("N", None)
    sizes = [
        *(dims.floordiv(m, n), dims.truncdiv(m, n), dims.maximum(m, n), dims.minimum(m, n), m - 2 * m * n),
        *(dims.where(dims.is_equal(m, n * 2), m, n), dims.floordiv(m, n) * dims.floordiv(m, n)),
    ]
    assert natively(sizes, given) == in_python(sizes, given)

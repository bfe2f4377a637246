"""Ensembles of small trees: every node of a tree is asked for vectors of rows, and leaves fall away by bits.

The leaves of a tree are numbered from its yes side on. A node that says no takes the leaves of its yes side
away; the first one left is the leaf that a walk would reach. No step depends on another but through a bit
mask, so nothing waits for a load (QuickScorer, Lucchese et al., SIGIR 2015).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.kernels.access import gather
from sardonyx.kernels.trees.combine import combined, start
from sardonyx.kernels.trees.numbered import Numbered, Numbering, numbered
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, V, int_

Array = np.ndarray[Any, Any]
SIZES = (32, 64)
"""Most leaves of a tree: bits of a mask."""
VECTORS = 2
"""Vectors of rows side by side, where there are so many rows: what is loaded of a node serves all."""
HEAD = np.dtype([("first", np.int32), ("plain", np.int32), ("end", np.int32), ("target", np.int32)])
TEST = np.dtype([("threshold", np.float32), ("feature", np.int32), ("kept", np.int64)])
"""`kept` are the leaves that stay after a no."""

_NO = ("ugt", "uge", "ult", "ule", "une", "oeq")
_NO_IF_NUMBER = ("ogt", "oge", "olt", "ole", "one", "oeq")


@dataclass(frozen=True, slots=True)
class Bits:
    """The trees of a forest as tests: `heads` [trees], `tests` of all trees, `leaves` [trees, outputs, size].

    A tree counts for `outputs` targets, from the one of its head on.
    """

    size: int
    heads: Array
    tests: Array
    leaves: Array

    @property
    def outputs(self) -> int:
        """How many targets each tree counts for."""
        return int(self.leaves.shape[1])

    @property
    def named(self) -> Array:
        """The targets that trees count for."""
        return np.unique(self.heads["target"][:, None] + np.arange(self.outputs))

    def least_rows(self, row_cycles: float) -> int:
        """From how many rows on a vector of them is faster than rows one by one that take so many cycles.

        Measured: a test takes about 2, with masks of two vectors 3; each output of a tree takes 8.
        """
        return math.ceil(self._vector_cycles / row_cycles)

    def row_cycles(self, target: Target) -> float:
        """How many cycles each of many rows takes, about."""
        return self._vector_cycles / (1.5 * target.lanes)

    @property
    def _vector_cycles(self) -> float:
        tests = len(self.tests) * (2.2 if self.size == 32 else 3.2)
        return tests + len(self.heads) * (8 + 8 * self.outputs)


def block_rows(target: Target) -> int:
    """Rows that run side by side."""
    return VECTORS * target.lanes


def bits_of(tables: Mapping[str, Array], numbering: Numbering | None = None) -> Bits | None:
    """The tests of a forest, or None unless it is one of small trees with targets of their own.

    Tables are those of `Forest` in `ops/ml`: trees of float32. Every leaf has an entry for each target of its
    tree, targets follow one another, and all trees have equally many.
    """
    inner = tables["mode"] < LEAF
    if tables["threshold"].dtype != np.float32 or tables["weight"].dtype != np.float32:
        return None
    outputs = tables["no"][~inner]
    if len(outputs) > SIZES[-1] * len(tables["root"]):
        return None
    if not _are_equal(tables["mode"][inner]) or not len(outputs) or not _are_equal(outputs) or not outputs[0]:
        return None
    nodes = numbering() if numbering else numbered(tables)
    if nodes is None:
        return None
    most = int(nodes.counts[tables["root"]].max(initial=1))
    size = next((size for size in SIZES if most <= size), 0)
    is_leaf = ~inner[nodes.node]
    tree, leaf = nodes.tree[is_leaf], nodes.node[is_leaf]
    entries = tables["yes"][leaf][:, None] + np.arange(outputs[0])
    target = tables["target"][entries]
    named = np.zeros(len(tables["root"]), np.int32)
    named[tree] = target[:, 0]
    is_same = np.array_equal(named[tree][:, None] + np.arange(outputs[0]), target)
    return _written(tables, nodes, named, size) if size and is_same else None


def _are_equal(numbers: Array) -> bool:
    return not len(numbers) or bool(numbers.min() == numbers.max())


def _written(tables: Mapping[str, Array], nodes: Numbered, named: Array, size: int) -> Bits:
    inner, yes, no = tables["mode"] < LEAF, tables["yes"], tables["no"]
    tree, node, counts, first = nodes.tree, nodes.node, nodes.counts, nodes.first
    asked = inner[node]
    leaf = node[~asked]
    entries = yes[leaf][:, None] + np.arange(no[leaf[0]])
    leaves = np.zeros((len(named), entries.shape[1], size), np.float32)
    leaves[tree[~asked], :, first[leaf]] = tables["weight"][entries]
    tree, node = tree[asked], node[asked]
    missing = tables["missing"][node]
    place = np.lexsort((missing, tree))
    tree, node, missing = tree[place], node[place], missing[place]
    tests = np.zeros(max(len(node), 1), TEST)
    asked_of = tests[: len(node)]
    asked_of["threshold"], asked_of["feature"] = tables["threshold"][node], tables["feature"][node]
    gone = (np.uint64(1) << counts[yes[node]].astype(np.uint64)) - np.uint64(1)
    asked_of["kept"] = (~(gone << first[node].astype(np.uint64))).view(np.int64)
    heads = np.zeros(len(named), HEAD)
    heads["end"] = np.cumsum(np.bincount(tree, minlength=len(named)))
    heads["first"] = np.append(0, heads["end"][:-1])
    heads["plain"] = heads["end"] - np.bincount(tree[missing], minlength=len(named))
    heads["target"] = named
    return Bits(size, heads, tests, leaves)


class BitRows:
    """Writes the loop over blocks of rows into a function being written.

    `kind` is the size of masks, the comparison and how weights combine; `tables` are the addresses of heads,
    tests and leaves. The scratch holds a block of rows by feature, then its totals by target, in doubles.
    """

    def __init__(
        self,
        f: Function,
        kind: tuple[int, int, str],
        target: Target,
        tables: tuple[V, V, V],
        scratch: V,
        vectors: int,
    ) -> None:
        self.f, self.target, self.lanes = f, target, target.lanes
        self.vectors, self.rows = vectors, vectors * target.lanes
        self.size, self.mode, self.combine = kind
        self.heads, self.tests, self.leaves = tables
        self.x = scratch

    def run(self, block: tuple[V, V], source: V, sizes: tuple[V, V, V, V]) -> V:
        """All trees for a block of rows of `source` [.., features]: its first row and how many there are.

        `sizes` are features, trees, targets and a tree's outputs. The address of the totals [targets, rows],
        in doubles.
        """
        f = self.f
        features, trees, targets, self.outputs = sizes
        self.total = f.gep(self.x, f.mul(features, int_(self.rows)), "float")
        self._transpose(block, source, features)
        with f.loop(int_(0), f.mul(targets, int_(self.rows))) as cell:
            f.store(start(self.combine), f.gep(self.total, cell.index, "double"))
        with f.loop(int_(0), trees) as tree:
            self._tree(tree.index)
        return self.total

    def _transpose(self, block: tuple[V, V], source: V, features: V) -> None:
        """A block by features; what is left of rows that are not there gives totals that nobody reads."""
        f = self.f
        first, count = block
        with f.loop(int_(0), count) as row:
            given = f.gep(source, f.mul(f.add(first, row.index), features), "float")
            kept = f.gep(self.x, row.index, "float")
            with f.loop(int_(0), features) as feature:
                value = f.load(f.gep(given, feature.index, "float"), "float")
                f.store(value, f.gep(kept, f.mul(feature.index, int_(self.rows)), "float"))

    def _tree(self, tree: V) -> None:
        f, bits = self.f, f"i{self.size}"
        head = f.gep(self.heads, f.mul(tree, int_(HEAD.itemsize)), "i8")
        first, plain, end, named = (
            f.convert("zext", f.load(f.gep(head, int_(4 * n), "i8"), "i32"), "i64") for n in range(4)
        )
        masks = [int_(-1, vector_of(bits, self.lanes))] * self.vectors
        masks = self._asked(first, plain, masks, _NO[self.mode])
        masks = self._asked(plain, end, masks, _NO_IF_NUMBER[self.mode])
        places = [self._first(mask) for mask in masks]
        with f.loop(int_(0), self.outputs) as output:
            place = f.add(f.mul(tree, self.outputs), output.index)
            leaves = f.gep(self.leaves, f.mul(place, int_(self.size)), "float")
            target = f.add(named, output.index)
            total = f.gep(self.total, f.mul(target, int_(self.rows)), "double")
            for vector, reached in enumerate(places):
                weight = f.convert("fpext", self._leaf(leaves, reached), "double")
                at = f.gep(total, int_(vector * self.lanes), "double")
                f.store(combined(f, self.combine, f.load(at, weight.type), weight), at)

    def _first(self, mask: V) -> V:
        """The first leaf that is left, i32."""
        f = self.f
        reached = f.call(f"llvm.cttz.{mangle(mask.type)}", mask.type, mask, int_(1, "i1"))
        return reached if self.size == 32 else f.convert("trunc", reached, "i32")

    def _leaf(self, leaves: V, place: V) -> V:
        """The leaves of one tree at places below `size`: from registers where they fit a few."""
        f, lanes = self.f, self.lanes
        type_ = vector_of("float", lanes)
        pick = self.target.instruction("pick", type_)
        if pick is None:
            return gather(f, leaves, place, "float")
        found: V | None = None
        for pair in range(0, self.size, 2 * lanes):
            low, high = (f.load(f.gep(leaves, int_(pair + n), "float"), type_) for n in (0, lanes))
            picked = f.call(pick.name, type_, low, place, high)
            is_here = f.icmp("ult", place, f.splat(int_(pair, "i32"), lanes))
            found = picked if found is None else f.select(is_here, found, picked)
        assert found is not None
        return found

    def _asked(self, low: V, high: V, masks: list[V], no: str) -> list[V]:
        """The leaves that are left after the tests from `low` to `high`."""
        f, lanes = self.f, self.lanes
        with f.loop(low, high, 1, masks) as loop:
            test = f.gep(self.tests, f.mul(loop.index, int_(TEST.itemsize)), "i8")
            limit = f.splat(f.load(test, "float"), lanes)
            feature = f.convert("zext", f.load(f.gep(test, int_(4), "i8"), "i32"), "i64")
            kept = f.splat(f.load(f.gep(test, int_(8), "i8"), f"i{self.size}"), lanes)
            row = f.gep(self.x, f.mul(feature, int_(self.rows)), "float")
            after = []
            for vector, mask in enumerate(loop.carried):
                x = f.load(f.gep(row, int_(vector * lanes), "float"), vector_of("float", lanes))
                after.append(f.select(f.fcmp(no, x, limit), f.binary("and", mask, kept), mask))
            loop.next(*after)
        return list(loop.carried)

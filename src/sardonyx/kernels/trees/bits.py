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
    """The trees of a forest as tests: `heads` [trees], `tests` of all trees, `leaves` [trees, size]."""

    size: int
    heads: Array
    tests: Array
    leaves: Array

    def least_rows(self, depth: float) -> int:
        """From how many rows on a vector of them is faster than walks of that length, row by row.

        A test takes about 3.5 cycles, a step of a walk 8, beside 8 and 15 for each tree (measured).
        """
        tests = len(self.tests) / len(self.heads)
        return math.ceil((3.5 * tests + 8) / (8 * depth + 15))


def block_rows(target: Target) -> int:
    """Rows that run side by side."""
    return VECTORS * target.lanes


def bits_of(tables: Mapping[str, Array]) -> Bits | None:
    """The tests of a forest, or None unless it is a forest of small trees that each count for one target.

    Tables are those of `Forest` in `ops/ml`: trees of float32, whose leaves have one entry each.
    """
    inner = tables["mode"] < LEAF
    if tables["threshold"].dtype != np.float32 or tables["weight"].dtype != np.float32:
        return None
    if len(np.unique(tables["mode"][inner])) > 1 or np.any(tables["no"][~inner] != 1):
        return None
    levels = _levels(tables, inner)
    if levels is None:
        return None
    counts = _leaf_counts(tables, inner, levels)
    most = int(counts[tables["root"]].max(initial=1))
    size = next((size for size in SIZES if most <= size), 0)
    tree, node = (np.concatenate(column) for column in zip(*levels, strict=True))
    target = tables["target"][tables["yes"][node[~inner[node]]]]
    named = np.zeros(len(tables["root"]), np.int32)
    named[tree[~inner[node]]] = target
    alone = np.array_equal(named[tree[~inner[node]]], target)
    return _written(tables, levels, counts, named, size) if size and alone else None


def _levels(tables: Mapping[str, Array], inner: Array) -> list[tuple[Array, Array]] | None:
    """Trees and nodes by depth; None if a node is reached twice."""
    tree, node = np.arange(len(tables["root"])), tables["root"].astype(np.int64)
    seen = np.zeros(len(inner), bool)
    levels = []
    while len(node):
        if seen[node].any() or len(np.unique(node)) < len(node):
            return None
        seen[node] = True
        levels.append((tree, node))
        going = inner[node]
        tree, node = tree[going], node[going]
        tree = np.concatenate([tree, tree])
        node = np.concatenate([tables["yes"][node], tables["no"][node]]).astype(np.int64)
    return levels or None


def _leaf_counts(tables: Mapping[str, Array], inner: Array, levels: list[tuple[Array, Array]]) -> Array:
    counts = np.ones(len(inner), np.int64)
    for _, node in reversed(levels):
        split_ = node[inner[node]]
        counts[split_] = counts[tables["yes"][split_]] + counts[tables["no"][split_]]
    return counts


def _written(
    tables: Mapping[str, Array],
    levels: list[tuple[Array, Array]],
    counts: Array,
    named: Array,
    size: int,
) -> Bits:
    inner, yes, no = tables["mode"] < LEAF, tables["yes"], tables["no"]
    first = np.zeros(len(inner), np.int64)
    for _, node in levels:
        above = node[inner[node]]
        first[yes[above]], first[no[above]] = first[above], first[above] + counts[yes[above]]
    tree, node = (np.concatenate(column) for column in zip(*levels, strict=True))
    asked = inner[node]
    leaf = node[~asked]
    leaves = np.zeros((len(named), size), np.float32)
    leaves[tree[~asked], first[leaf]] = tables["weight"][yes[leaf]]
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

    def run(self, block: tuple[V, V], source: V, sizes: tuple[V, V, V]) -> V:
        """All trees for a block of rows of `source` [.., features]: its first row and how many there are.

        `sizes` are features, trees and targets. The address of the totals [targets, rows], in doubles.
        """
        f = self.f
        features, trees, targets = sizes
        self.total = f.gep(self.x, f.mul(features, int_(self.rows)), "float")
        self._transpose(block, source, features)
        with f.loop(int_(0), f.mul(targets, int_(self.rows))) as cell:
            f.store(start(self.combine), f.gep(self.total, cell.index, "double"))
        with f.loop(int_(0), trees) as tree:
            self._tree(tree.index)
        return self.total

    def _transpose(self, block: tuple[V, V], source: V, features: V) -> None:
        """A block by features; rows that are not there repeat the last one."""
        f = self.f
        first, count = block
        last = f.sub(count, int_(1))
        with f.loop(int_(0), int_(self.rows)) as row:
            at = f.mul(f.add(first, f.smin(row.index, last)), features)
            given, kept = f.gep(source, at, "float"), f.gep(self.x, row.index, "float")
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
        leaves = f.gep(self.leaves, f.mul(tree, int_(self.size)), "float")
        total = f.gep(self.total, f.mul(named, int_(self.rows)), "double")
        for vector, mask in enumerate(masks):
            reached = f.call(f"llvm.cttz.{mangle(mask.type)}", mask.type, mask, int_(1, "i1"))
            place = reached if self.size == 32 else f.convert("trunc", reached, "i32")
            weight = f.convert("fpext", self._leaf(leaves, place), "double")
            at = f.gep(total, int_(vector * self.lanes), "double")
            f.store(combined(f, self.combine, f.load(at, weight.type), weight), at)

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

"""Forests of decision trees as columns of numbers, from the lists that operators of ai.onnx.ml write them in.

Decides how nodes find their children and leaves their entries; must not know what is computed with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.ir.value import Value, const, many
from sardonyx.ops.table import Texts

Array = np.ndarray[Any, Any]
Ints = Sequence[int] | Array
Strings = Sequence[str] | Texts
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "LEAF")
EQUAL, MEMBER = 4, 6
"""Numbers of modes in opset 5: what follows EQUAL there asks for one member of a set."""


@dataclass(frozen=True, slots=True)
class Forest:
    """The nodes of all trees as columns, and the entries of their leaves.

    At a leaf `yes` is its first entry and `no` their number; else they are the next nodes.
    """

    feature: Array
    mode: Array
    threshold: Array
    missing: Array
    yes: Array
    no: Array
    roots: Array
    target: Array
    weight: Array

    def totals(self, x: Value, targets: int, combine: str) -> tuple[Value, Value]:
        """The combined weights of the leaves reached [N, targets], and which targets they name."""
        rows = x.reshape((1, x.size)) if x.rank == 1 else x
        wide = rows.cast(dt.F64 if x.dtype is dt.F64 else dt.F32)
        columns = (
            (self.feature, np.int32),
            (self.mode, np.uint8),
            (self.threshold, wide.dtype.numpy),
            (self.missing, np.bool_),
            (self.yes, np.int32),
            (self.no, np.int32),
            (self.roots, np.int32),
            (self.target, np.int32),
            (self.weight, self.weight.dtype),
        )
        args = (wide, *(const(np.asarray(data, dtype)) for data, dtype in columns))
        shape = (rows.shape[0], targets)
        kinds = [(args[-1].dtype, shape), (dt.BOOL, shape)]
        total, touched = many("trees", args, {"targets": targets, "combine": combine}, kinds)
        return total, touched


@dataclass(frozen=True, slots=True)
class Nodes:
    """Columns of nodes as opsets 1 to 3 write them, keyed by (tree, node)."""

    tree: Array
    node: Array
    feature: Array
    mode: Array
    threshold: Array
    missing: Array
    yes: Array
    no: Array

    @classmethod
    def of(
        cls,
        tree: Ints,
        node: Ints,
        feature: Ints,
        mode: Strings,
        threshold: Array,
        missing: Ints,
        yes: Ints,
        no: Ints,
    ) -> Nodes:
        """The columns, all of one length. Raises ShapeError if one has fewer elements than nodes."""
        trees, nodes, features, follows, yeses, noes = map(_whole, (tree, node, feature, missing, yes, no))
        count = len(trees)
        modes = _modes(mode)
        columns = (nodes, features, modes, threshold, yeses, noes)
        if not len(follows):
            follows = np.zeros(count, np.int64)
        if len(nodes) != count or any(len(column) < count for column in (*columns, follows)):
            raise ShapeError(f"{count} nodes are named, but not every attribute has as many elements")
        features, modes, threshold, yeses, noes, follows = (
            column[:count] for column in (features, modes, threshold, yeses, noes, follows)
        )
        return cls(trees, nodes, features, modes, threshold, follows != 0, yeses, noes)


def _whole(column: Ints) -> Array:
    return column if isinstance(column, np.ndarray) else np.asarray(column, np.int64)


class _Keys:
    """Numbers keys (tree, node): as they are counted if they lie close, else in their order."""

    def __init__(self, tree: Array, node: Array) -> None:
        self.least = (int(tree.min(initial=0)), int(node.min(initial=0)))
        self.span = int(node.max(initial=0)) - self.least[1] + 1
        self.trees = int(tree.max(initial=0)) - self.least[0] + 1
        if self.trees * self.span >= 1 << 62:
            raise ShapeError("numbers of trees or nodes are too far apart")
        self.count = self.trees * self.span
        self.known: Array | None = None
        if self.count > 4 * len(tree) + 1024:
            self.known = np.unique(self._key(tree, node))
            self.count = len(self.known)

    def _key(self, tree: Array, node: Array) -> Array:
        whole = np.int64 if self.trees * self.span >= 1 << 31 else tree.dtype
        key: Array = (tree - self.least[0]).astype(whole) * self.span + (node - self.least[1])
        return key

    def numbers(self, tree: Array, node: Array) -> Array:
        """The number of each key, below `count`; -1 if it was not among the first ones."""
        inside = _within(tree, self.least[0], self.trees) & _within(node, self.least[1], self.span)
        if self.known is None and inside.all():
            return self._key(tree, node)
        found = np.where(inside, self._key(tree, node), 0)
        if self.known is not None:
            wanted, found = found, np.searchsorted(self.known, found).clip(max=self.count - 1)
            inside = inside & (self.known[found] == wanted)
        return np.where(inside, found, -1)


def _within(column: Array, least: int, span: int) -> Array:
    """Which elements lie in a range; one answer if all do."""
    if not column.size or (int(column.min()) >= least and int(column.max()) < least + span):
        return np.ones(1, bool)
    return (column >= least) & (column < least + span)


def grown(nodes: Nodes, leaves: tuple[Array, Array, Array], weights: Array, targets: int) -> Forest:
    """The forest of nodes, and of entries of leaves given as (trees, nodes, targets).

    With one target the first entry of a leaf counts alone, as in onnxruntime: converters repeat it.
    """
    inner = nodes.mode != LEAF
    keys = _Keys(nodes.tree, nodes.node)
    # One more for keys that there are not.
    rows = np.full(keys.count + 1, -1)
    rows[keys.numbers(nodes.tree, nodes.node)] = np.arange(len(inner))
    rows[-1] = -1
    yes, no = (np.where(inner, rows[keys.numbers(nodes.tree, side)], 0) for side in (nodes.yes, nodes.no))
    if (lost := np.flatnonzero(np.minimum(yes, no) < 0)).size:
        row = lost[0]
        raise ShapeError(
            f"node {nodes.node[row]} of tree {nodes.tree[row]} has a child that is not in the tree"
        )
    _check_ends(inner, yes, no, lambda row: f"node {nodes.node[row]} of tree {nodes.tree[row]}")
    is_child = np.zeros(len(inner), bool)
    is_child[yes[inner]] = is_child[no[inner]] = True
    first, count, entries = _entries(nodes, inner, leaves, targets)
    return Forest(
        np.where(inner, nodes.feature, 0),
        nodes.mode,
        np.where(inner, nodes.threshold, 0),
        nodes.missing & inner,
        np.where(inner, yes, first),
        np.where(inner, no, count),
        np.flatnonzero(~is_child),
        leaves[2][entries],
        weights[entries],
    )


def _check_ends(inner: Array, yes: Array, no: Array, told: Callable[[int], str]) -> None:
    """Raises ShapeError, which names the node as it is `told`, where a walk may come back to one."""
    rows = np.flatnonzero(inner)
    parents = np.concatenate([rows, rows])
    children = np.concatenate([yes[rows], no[rows]]).astype(np.int64)
    if (children > parents).all():
        return
    left = np.bincount(children, minlength=len(inner))
    ends = np.flatnonzero(left == 0)
    while len(ends):
        left[ends] = -1
        ends = ends[inner[ends]]
        below = np.concatenate([yes[ends], no[ends]])
        np.subtract.at(left, below, 1)
        ends = np.unique(below[left[below] == 0])
    within = left[parents] > 0
    above = dict(zip(children[within].tolist(), parents[within].tolist(), strict=True))
    if not above:
        return
    node = next(iter(above))
    for _ in above:  # A cycle has no way in from what ends: every way up stays among these, and comes to one.
        node = above[node]
    raise ShapeError(f"{told(int(node))} is its own descendant; correct its children")


def _entries(
    nodes: Nodes, inner: Array, leaves: tuple[Array, Array, Array], targets: int
) -> tuple[Array, Array, Array]:
    """The first entry of each leaf, the number of its entries, and all entries in that order."""
    tree, node, _ = leaves
    rows = np.flatnonzero(~inner)
    if np.array_equal(nodes.tree[rows], tree) and np.array_equal(nodes.node[rows], node):
        first = np.zeros(len(inner), np.int32)
        first[rows] = np.arange(len(rows))
        return first, (~inner).astype(np.int32), np.arange(len(rows))
    keys = _Keys(tree, node)
    numbers = keys.numbers(tree, node)
    in_order = bool((numbers[1:] >= numbers[:-1]).all())
    order = np.arange(len(numbers)) if in_order else np.argsort(numbers, kind="stable")
    counts = np.append(np.bincount(numbers, minlength=keys.count), 0)
    begins = np.cumsum(counts) - counts
    own = keys.numbers(nodes.tree, nodes.node)
    count = np.where(inner, 0, counts[own])
    if targets == 1:
        count = np.minimum(count, 1)
    first = np.cumsum(count) - count
    steps = np.arange(int(count.sum())) - np.repeat(first, count)
    return first, count, order[np.repeat(begins[own], count) + steps]


def entries_of(tree: Ints, node: Ints, target: Ints, weights: Array) -> tuple[Array, Array, Array]:
    """The trees, nodes and targets of entries of leaves. Raises ShapeError if they differ in number."""
    columns = tuple(map(_whole, (tree, node, target)))
    if len({len(column) for column in (*columns, weights)}) != 1:
        raise ShapeError("the attributes of leaves differ in length")
    return columns[0], columns[1], columns[2]


def _modes(names: Strings) -> Array:
    """Numbers of node modes. Raises UnsupportedOp for an unknown name."""
    if isinstance(names, Texts):
        return np.array([_mode(name) for name in names.names], np.uint8)[names.codes]
    known = {name: _mode(name) for name in dict.fromkeys(names)}
    return np.array([known[name] for name in names], np.uint8)


def plain(given: Ints | Strings) -> Sequence[Any]:
    """A list of numbers or texts that may be a long one, as a sequence."""
    if isinstance(given, Texts):
        return [given.names[code] for code in given.codes]
    return given.tolist() if isinstance(given, np.ndarray) else given


def _mode(name: str) -> int:
    if name not in _MODES:
        raise UnsupportedOp(f"the node mode {name!r} is not supported")
    return _MODES.index(name)


def with_leaves(
    columns: tuple[Array, Array, Array, Array, Array, Array],
    at_leaf: tuple[Ints, Ints],
    roots: Ints,
    entries: tuple[Array, Array],
    sets: Array,
) -> Forest:
    """The forest of nodes and leaves counted apart, as opset 5 writes them.

    `columns` are feature, mode, threshold, missing, yes and no; `at_leaf` says where the last two count
    leaves. Each leaf has one of the `entries`, targets and weights. A node that asks for a member of one of
    the `sets`, which NaNs separate, becomes a chain of nodes that each ask for one.
    """
    feature, mode, threshold, missing, yes, no = (np.asarray(column) for column in columns)
    count, leaves = len(mode), len(entries[0])
    yes, no = (
        side.astype(np.int64) + np.where(np.asarray(leaf, bool), count, 0)
        for side, leaf in zip((yes, no), at_leaf, strict=True)
    )
    _check_walks(yes, no, np.asarray(roots), count, leaves)
    members = np.flatnonzero(mode == MEMBER)
    mode = np.where(mode == MEMBER, EQUAL, mode)
    none = np.zeros(leaves, np.int64)
    rows = [
        np.concatenate([feature, none]),
        np.concatenate([mode, none + LEAF]),
        np.concatenate([threshold, none]).astype(threshold.dtype),
        np.concatenate([missing, none.astype(bool)]),
        np.concatenate([yes, np.arange(leaves)]),
        np.concatenate([no, none + 1]),
    ]
    added: list[tuple[Any, ...]] = []
    for node, asked in zip(members, _sets(sets), strict=False):
        _ask(rows, added, int(node), asked)
    grown_rows = [
        np.concatenate([row, np.array([new[n] for new in added], row.dtype)]) if added else row
        for n, row in enumerate(rows)
    ]
    feature, mode, threshold, missing, yes, no = grown_rows
    target, weight = entries
    return Forest(feature, mode, threshold, missing, yes, no, np.asarray(roots), target, weight)


def _check_walks(yes: Array, no: Array, roots: Array, count: int, leaves: int) -> None:
    """Raises ShapeError for children or roots that there are not, and for walks that need not end."""
    for children in (yes, no):
        if (lost := np.flatnonzero((children < 0) | (children >= count + leaves))).size:
            raise ShapeError(
                f"node {lost[0]} has a child that is not among {count} nodes and {leaves} leaves"
            )
    if (roots < 0).any() or (roots >= count).any():
        raise ShapeError(f"tree_roots names a node that is not among {count} nodes")
    inner = np.arange(count + leaves) < count
    _check_ends(inner, yes, no, lambda row: f"node {row}")


def _sets(values: Array) -> list[Array]:
    """The sets of numbers that NaNs separate."""
    ends = np.flatnonzero(np.isnan(values))
    return [values[a:b] for a, b in zip([0, *(ends + 1)], ends, strict=False)]


def _ask(rows: list[Array], added: list[tuple[Any, ...]], node: int, members: Array) -> None:
    """Turn a node into a chain; nodes to append are added."""
    feature, mode, threshold, missing, yes, no = rows
    threshold[node] = members[0] if len(members) else np.nan
    first, others, last = len(mode) + len(added), members[1:], no[node]
    for n, member in enumerate(others, 1):
        following = first + n if n < len(others) else last
        added.append((feature[node], EQUAL, member, missing[node], yes[node], following))
    if len(others):
        no[node] = first

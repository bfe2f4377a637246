"""An ensemble of decision trees of the graph -> a call of its kernel, with its nodes laid out for vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.errors import ShapeError
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import const
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.trees.bits import bits_of, block_rows
from sardonyx.kernels.trees.driver import (
    BLOCK_ROWS,
    LEAF,
    MISSING_SHIFT,
    MODE_SHIFT,
    WALKS,
    Forest,
    Word,
    forest_ir,
)

Array = np.ndarray[Any, Any]


def trees_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The one call of an ensemble, whose nodes are constants."""
    target = goal.target
    root = group.root
    x, *rest = root.args
    names = ("feature", "mode", "threshold", "missing", "yes", "no", "root", "target", "weight")
    tables = {name: value.data for name, value in zip(names, rest, strict=True) if value.data is not None}
    targets = root.attrs["targets"]
    _check(tables, targets)
    inner = tables["mode"] < LEAF
    bits = bits_of(tables) if target.is_machine and x.dtype is dt.F32 else None
    forest = Forest(
        x.dtype,
        rest[-1].dtype,
        tuple(sorted(set(tables["mode"][inner].tolist()))),
        bool(tables["missing"][inner].any()),
        root.attrs["combine"],
        bits.size if bits else 0,
    )
    source, (total, touched) = places[x.id], group.results
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.ROWS: x.shape[0],
        Word.FEATURES: x.shape[1],
        Word.MOST_FEATURES: int(tables["feature"][inner].max(initial=-1)) + 1,
        Word.TREES: len(tables["root"]),
        Word.TARGETS: targets,
    }
    arrays = _arrays(tables, forest)
    if bits:
        arrays |= {Word.HEADS: bits.heads.view(np.uint8), Word.TESTS: bits.tests.view(np.uint8)}
        arrays[Word.LEAVES] = bits.leaves.reshape(-1)
        arrays[Word.NAMED] = np.isin(np.arange(targets), bits.named).view(np.uint8)
        words[Word.OUTPUTS] = bits.outputs
        words[Word.LEAST_ROWS] = bits.least_rows(float(arrays[Word.DEPTHS].mean()))
    kinds = {Word.WEIGHT: forest.weights, Word.LEAVES: dt.F32}
    kinds |= dict.fromkeys((Word.NODES, Word.HEADS, Word.TESTS, Word.NAMED), dt.U8)
    stored = {word: _stored(array, kinds.get(word, dt.I32)) for word, array in arrays.items()}
    words |= {word: Address(storage) for word, storage in stored.items()}
    scratch = Storage("arena", forest.weights, x.shape[0] * targets)
    writes = [scratch] if total is None else []
    words[Word.TOTAL] = Address(scratch) if total is None else Address.of(total)
    if touched is not None:
        words[Word.TOUCHED] = Address.of(touched)
    call = NativeCall(
        forest.symbol,
        in_order(words, Word.WORDS),
        (source.storage, *stored.values()),
        (*writes, *(p.storage for p in group.results if p is not None)),
        root.origins,
        work=x.shape[0] * len(tables["root"]) * 30,
        scratch_bytes=_scratch_bytes(forest, targets, x.shape[1], target),
        kind="trees",
        plan=f"{len(tables['root'])} trees of {len(inner)} nodes for {x.shape[0]} rows",
    )
    yield call, {forest.symbol: lambda: forest_ir(forest, target)}


def _scratch_bytes(forest: Forest, targets: int, features: Dim, target: Target) -> Dim:
    """The totals of a block of rows, and where small trees are asked by bits the rows by feature."""
    walks = BLOCK_ROWS * targets * 9 + 64
    return block_rows(target) * (8 * targets + 4 * features) + 64 + walks if forest.bits else walks


def _check(tables: Mapping[str, Array], targets: int) -> None:
    """Raises ShapeError for nodes or entries that do not exist."""
    inner, nodes, entries = tables["mode"] < LEAF, len(tables["mode"]), len(tables["target"])
    yes, no = tables["yes"], tables["no"]
    first, count = yes[~inner], no[~inner]
    inside = [(tables["root"], nodes), (yes[inner], nodes), (no[inner], nodes), (tables["target"], targets)]
    inside += [(tables["feature"][inner], 1 << MODE_SHIFT), (first, entries + 1), (count, entries + 1)]
    inside += [(first.astype(np.int64) + count, entries + 1)]
    if any(a.size and not (a.min() >= 0 and a.max() < size) for a, size in inside):
        raise ShapeError("an ensemble of trees names nodes, features or targets that do not exist; check it")


def _arrays(tables: Mapping[str, Array], forest: Forest) -> dict[Word, Array]:
    """The constant operands; node `nodes` is a leaf without entries."""
    inner, nodes = tables["mode"] < LEAF, len(tables["mode"])
    real = forest.dtype.numpy
    fields = np.dtype(
        {
            "names": ["threshold", "facts", "no", "yes"],
            "formats": [real, np.int32, np.int32, np.int32],
            "offsets": [0, *(real.itemsize + 4 * n for n in range(3))],
            "itemsize": forest.node_bytes,
        }
    )
    if (nodes + 1) * forest.node_bytes > np.iinfo(np.int32).max:
        raise ShapeError(
            f"an ensemble of trees has {nodes} nodes, more than this kernel can number; split it"
        )
    records = np.zeros(nodes + 1, fields)
    own = np.arange(nodes, dtype=np.int32)
    records["threshold"][:nodes] = tables["threshold"]
    facts = tables["feature"].copy()
    if len(forest.modes) > 1 or forest.missing:
        facts |= tables["mode"].astype(np.int32) << MODE_SHIFT
        facts |= tables["missing"].astype(np.int32) << MISSING_SHIFT
    records["facts"][:nodes] = np.where(inner, facts, 0)
    for name in ("yes", "no"):
        records[name][:nodes] = np.where(inner, tables[name], own) * forest.node_bytes
    records["yes"][nodes] = records["no"][nodes] = nodes * forest.node_bytes
    pad = -len(tables["root"]) % WALKS
    arrays = {
        Word.ROOTS: np.pad(tables["root"], (0, pad), constant_values=nodes) * forest.node_bytes,
        Word.DEPTHS: np.pad(_depths(tables), (0, pad)),
        Word.START: _at_leaves(inner, tables["yes"]),
        Word.COUNT: _at_leaves(inner, tables["no"]),
        Word.TARGET: tables["target"],
    }
    whole = {word: np.asarray(array, np.int32) for word, array in arrays.items()}
    return {**whole, Word.NODES: records.view(np.uint8), Word.WEIGHT: tables["weight"]}


def _at_leaves(inner: Array, column: Array) -> Array:
    """What a column says of leaves, 0 at other nodes and at the one that is added."""
    found = np.zeros(len(inner) + 1, np.int32)
    np.copyto(found[:-1], column, where=~inner)
    return found


def _depths(tables: Mapping[str, Array]) -> Array:
    """The length of the longest walk in each tree.

    Raises ShapeError if a walk need not end.
    """
    inner, yes, no = tables["mode"] < LEAF, tables["yes"], tables["no"]
    tree, node = np.arange(len(tables["root"])), tables["root"]
    depths = np.zeros(len(tree), np.int64)
    for length in range(len(inner) + 1):
        going = inner[node]
        tree, node = tree[going], node[going]
        if not len(node):
            return depths
        depths[tree] = length + 1
        tree, node = np.concatenate([tree, tree]), np.concatenate([yes[node], no[node]])
        if len(node) > len(inner):
            # Trees that share nodes: each pair counts once, or there would be as many as walks.
            pairs = np.unique(tree * len(inner) + node)
            tree, node = pairs // len(inner), pairs % len(inner)
    raise ShapeError("the nodes of a tree ensemble form a cycle; check their children")


def _stored(array: Array, dtype: DType) -> Storage:
    value = const(np.ascontiguousarray(array, dtype.numpy))
    return Storage("const", dtype, array.size, 0, value)

"""An ensemble of decision trees of the graph -> a call of its kernel, with its nodes laid out for vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.errors import ShapeError
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.ir.fold import empty
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Value, const
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.trees.arguments import TREES, Forest, Word
from sardonyx.kernels.trees.bits import Bits, block_rows
from sardonyx.kernels.trees.clusters import Clusters
from sardonyx.kernels.trees.driver import forest_ir
from sardonyx.kernels.trees.ordinal_blocks import block_bytes
from sardonyx.kernels.trees.ordinal_rows import ordinal_bytes
from sardonyx.kernels.trees.ordinals import Ordinals
from sardonyx.kernels.trees.steps import registers_of
from sardonyx.kernels.trees.walks import scratch_bytes
from sardonyx.kernels.trees.ways import Ways, ways_of

_MOST_FEATURES = 1 << 24
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
    depths = _depths(tables)
    ways = ways_of(tables, depths, x.dtype, target)
    forest = _forest(root, ways, target)
    source, (total, touched) = places[x.id], group.results
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.ROWS: x.shape[0],
        Word.FEATURES: x.shape[1],
        Word.MOST_FEATURES: int(tables["feature"][tables["mode"] < LEAF].max(initial=-1)) + 1,
        Word.TREES: len(tables["root"]),
        Word.TARGETS: targets,
        Word.FIRST: ways.first,
    }
    arrays = _weights(tables, ways, forest)
    if ways.clusters:
        arrays |= _clusters_arrays(ways.clusters)
    if ways.ordinals and (forest.ordinals or forest.blocks):
        arrays |= _ordinal_arrays(ways.ordinals, forest)
        words[Word.SEARCHES], words[Word.SEARCH_LIMITS] = ways.ordinals.limits.shape
    bits = ways.bits
    named = bits.named if bits else np.arange(ways.first, ways.first + ways.outputs)
    if bits:
        arrays |= _bits_arrays(bits)
        words[Word.OUTPUTS] = bits.outputs
        words[Word.LEAST_ROWS] = bits.least_rows(ways.row_cycles)
    if len(named):
        arrays[Word.NAMED] = _told(named, targets)
    stored = {word: _stored(array) for word, array in arrays.items()}
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
        plan=f"{len(tables['root'])} trees of {len(tables['mode'])} nodes for {x.shape[0]} rows",
    )
    yield call, {forest.symbol: lambda: forest_ir(forest, target)}


def _told(named: Array, targets: int) -> Array:
    """Which targets are named, u8 [targets]. Raises ShapeError if these are too many."""
    told = empty(dt.U8, (targets,))
    told[:] = 0
    told[named] = 1
    return told


def _forest(root: Value, ways: Ways, target: Target) -> Forest:
    x, weights = root.args[0], root.args[-1]
    clusters, ordinals = ways.clusters, ways.ordinals
    asked = clusters or ordinals
    assert asked is not None
    forest = Forest(
        x.dtype,
        weights.dtype,
        asked.modes,
        asked.missing,
        root.attrs["combine"],
        width=ways.width,
        bits=ways.bits.size if ways.bits else 0,
    )
    leaves = ways.block_leaves(forest.stored, target)
    forest = replace(forest, blocks=leaves is not None, leaves=leaves or 0)
    if clusters:
        registers = registers_of(clusters.features, target) if x.dtype is dt.F32 else 0
        return replace(forest, layout=clusters.layout, registers=registers)
    assert ordinals is not None
    return replace(forest, ordinals=ordinals.table_bytes(target), abreast=ordinals.abreast)


def _ordinal_arrays(ordinals: Ordinals, forest: Forest) -> dict[Word, Array]:
    """The constant operands of rows by ordinals, one by one or in blocks."""
    arrays = {Word.ASKED: ordinals.asked, Word.PIVOTS: ordinals.pivots, Word.LIMITS: ordinals.limits}
    if forest.blocks:
        arrays |= {Word.NODES: ordinals.nodes, Word.BEGINS: ordinals.begins}
    if forest.ordinals:
        arrays |= {Word.STEPS: ordinals.steps, Word.SLOTS: ordinals.slots, Word.BASES: ordinals.bases}
    return arrays


def _clusters_arrays(clusters: Clusters) -> dict[Word, Array]:
    """The constant operands of walks."""
    number = np.arange(len(clusters.roots)) % TREES
    return {
        Word.CLUSTERS: clusters.records.view(np.uint8),
        Word.ROOTS: (number << 32) + clusters.roots,
        Word.BASES: clusters.bases,
    }


def _bits_arrays(bits: Bits) -> dict[Word, Array]:
    """The constant operands of small trees."""
    tables = {Word.HEADS: bits.heads.view(np.uint8), Word.TESTS: bits.tests.view(np.uint8)}
    return {**tables, Word.LEAVES: bits.leaves}


def _scratch_bytes(forest: Forest, targets: int, features: Dim, target: Target) -> Dim:
    """What rows one by one take, or small trees that are asked by bits: rows by feature, and totals."""
    rest = ordinal_bytes(targets, target) if forest.ordinals else scratch_bytes(forest, targets, target)
    if forest.blocks:
        rest = max(rest, block_bytes(forest.width, target))
    return block_rows(target) * (8 * targets + 4 * features) + 64 + rest if forest.bits else rest


def _check(tables: Mapping[str, Array], targets: int) -> None:
    """Raises ShapeError for nodes or entries that do not exist."""
    inner, nodes, entries = tables["mode"] < LEAF, len(tables["mode"]), len(tables["target"])
    yes, no = tables["yes"], tables["no"]
    first, count = yes[~inner], no[~inner]
    inside = [(tables["root"], nodes), (yes[inner], nodes), (no[inner], nodes), (tables["target"], targets)]
    inside += [(tables["feature"][inner], _MOST_FEATURES), (first, entries + 1), (count, entries + 1)]
    inside += [(first.astype(np.int64) + count, entries + 1)]
    if any(a.size and not (a.min() >= 0 and a.max() < size) for a, size in inside):
        raise ShapeError("an ensemble of trees names nodes, features or targets that do not exist; check it")


def _weights(tables: Mapping[str, Array], ways: Ways, forest: Forest) -> dict[Word, Array]:
    """The weights of leaves, with the targets that they are for where these differ."""
    begin, counts = (tables[side][ways.leaves] for side in ("yes", "no"))
    weight = tables["weight"].astype(forest.stored.numpy, copy=False)
    if forest.width:
        same = np.zeros((len(begin) + forest.leaves, forest.width), weight.dtype)
        same[: len(begin), : ways.outputs] = weight[begin[:, None] + np.arange(ways.outputs)]
        return {Word.WEIGHT: same}
    entries = {Word.START: begin, Word.COUNT: counts, Word.TARGET: tables["target"]}
    return {Word.WEIGHT: weight, **{word: np.asarray(array, np.int32) for word, array in entries.items()}}


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


def _stored(array: Array) -> Storage:
    value = const(np.ascontiguousarray(array.reshape(-1)))
    return Storage("const", value.dtype, array.size, 0, value)

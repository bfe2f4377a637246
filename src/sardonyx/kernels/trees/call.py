"""An ensemble of decision trees of the graph -> a call of its kernel, with its nodes laid out for vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.errors import ShapeError
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import const
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.trees.driver import LEAF, MISSING_SHIFT, MODE_SHIFT, WALKS, Forest, Word, forest_ir

Array = np.ndarray[Any, Any]


def trees_calls(
    group: Group, places: Mapping[int, Place], goal: Goal
) -> Iterator[tuple[NativeCall, Mapping[str, Callable[[], str]]]]:
    """The one call of an ensemble, whose nodes are constants."""
    target = goal.target
    root = group.root
    x, *rest = root.args
    names = ("feature", "mode", "threshold", "missing", "yes", "no", "root", "target", "weight")
    told = {name: value.data for name, value in zip(names, rest, strict=True) if value.data is not None}
    targets = root.attrs["targets"]
    _check(told, targets)
    inner = told["mode"] < LEAF
    forest = Forest(
        x.dtype,
        rest[-1].dtype,
        tuple(sorted(set(told["mode"][inner].tolist()))),
        bool(told["missing"][inner].any()),
        root.attrs["combine"],
    )
    source, (total, touched) = places[x.id], group.results
    words: dict[int, Argument] = dict.fromkeys(range(Word.WORDS), 0)
    words |= {
        Word.X: Address(source.storage, source.offset),
        Word.ROWS: x.shape[0],
        Word.FEATURES: x.shape[1],
        Word.MOST_FEATURES: int(told["feature"][inner].max(initial=-1)) + 1,
        Word.TREES: len(told["root"]),
        Word.TARGETS: targets,
    }
    arrays = _arrays(told, forest)
    kinds = {Word.NODES: dt.U8, Word.WEIGHT: forest.weights}
    stored = {word: _stored(array, kinds.get(word, dt.I32)) for word, array in arrays.items()}
    words |= {word: Address(storage) for word, storage in stored.items()}
    scratch = Storage("arena", forest.weights, x.shape[0] * targets)
    writes = [scratch] if total is None else []
    words[Word.TOTAL] = Address(scratch) if total is None else Address(total.storage, total.offset)
    if touched is not None:
        words[Word.TOUCHED] = Address(touched.storage, touched.offset)
    call = NativeCall(
        forest.symbol,
        tuple(words[n] for n in range(Word.WORDS)),
        (source.storage, *stored.values()),
        (*writes, *(p.storage for p in group.results if p is not None)),
        root.origins,
        work=x.shape[0] * len(told["root"]) * 30,
        scratch_bytes=WALKS * targets * 9 + 64,
        kind="trees",
        plan=f"{len(told['root'])} trees of {len(inner)} nodes for {x.shape[0]} rows",
    )
    yield call, {forest.symbol: lambda: forest_ir(forest, target)}


def _check(told: Mapping[str, Array], targets: int) -> None:
    """Raises ShapeError for nodes or entries that do not exist."""
    inner, nodes, entries = told["mode"] < LEAF, len(told["mode"]), len(told["target"])
    yes, no = told["yes"].astype(np.int64), told["no"].astype(np.int64)
    inside = [(told["root"], nodes), (yes[inner], nodes), (no[inner], nodes), (told["target"], targets)]
    inside += [(told["feature"][inner], 1 << MODE_SHIFT), (no[~inner], entries + 1)]
    inside += [(yes[~inner] + no[~inner], entries + 1)]
    if any(a.size and not (a.min() >= 0 and a.max() < size) for a, size in inside) or (yes[~inner] < 0).any():
        raise ShapeError("an ensemble of trees names nodes, features or targets that do not exist; check it")


def _arrays(told: Mapping[str, Array], forest: Forest) -> dict[Word, Array]:
    """The constant operands; node `nodes` is a leaf without entries."""
    inner, nodes = told["mode"] < LEAF, len(told["mode"])
    real = forest.dtype.numpy
    fields = np.dtype(
        {
            "names": ["threshold", "facts", "no", "yes"],
            "formats": [real, np.int32, np.int32, np.int32],
            "offsets": [0, *(real.itemsize + 4 * n for n in range(3))],
            "itemsize": forest.node_bytes,
        }
    )
    records = np.zeros(nodes + 1, fields)
    own = np.arange(nodes)
    records["threshold"][:nodes] = told["threshold"]
    facts = told["feature"].astype(np.int64)
    if len(forest.modes) > 1 or forest.missing:
        facts |= told["mode"].astype(np.int64) << MODE_SHIFT
        facts |= told["missing"].astype(np.int64) << MISSING_SHIFT
    records["facts"][:nodes] = np.where(inner, facts, 0)
    for name in ("yes", "no"):
        records[name][:nodes] = np.where(inner, told[name], own) * forest.node_bytes
    records["yes"][nodes] = records["no"][nodes] = nodes * forest.node_bytes
    pad = -len(told["root"]) % WALKS
    arrays = {
        Word.ROOTS: np.pad(told["root"], (0, pad), constant_values=nodes) * forest.node_bytes,
        Word.DEPTHS: np.pad(_heights(told)[told["root"]], (0, pad)),
        Word.START: np.append(np.where(inner, 0, told["yes"]), 0),
        Word.COUNT: np.append(np.where(inner, 0, told["no"]), 0),
        Word.TARGET: told["target"],
    }
    whole = {word: array.astype(np.int32) for word, array in arrays.items()}
    return {**whole, Word.NODES: records.view(np.uint8), Word.WEIGHT: told["weight"]}


def _heights(told: Mapping[str, Array]) -> Array:
    """The length of the longest walk from each node to a leaf.

    Raises ShapeError if a walk need not end.
    """
    inner = told["mode"] < LEAF
    yes, no = (np.where(inner, told[name], 0) for name in ("yes", "no"))
    heights = np.zeros(len(inner), np.int64)
    for _ in range(len(inner) + 1):
        higher = np.where(inner, np.maximum(heights[yes], heights[no]) + 1, 0)
        if (higher == heights).all():
            return heights
        heights = higher
    raise ShapeError("an ensemble of trees has a walk in a circle; check its nodes")


def _stored(array: Array, dtype: DType) -> Storage:
    value = const(np.ascontiguousarray(array, dtype.numpy))
    return Storage("const", dtype, array.size, 0, value)

"""An ensemble of decision trees of the graph -> a call of its kernel, with its nodes laid out for vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.errors import CompileError
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import const
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.trees import LEAF, MISSING_SHIFT, MODE_SHIFT, Forest, Word, forest_ir

Array = np.ndarray[Any, Any]


def trees_calls(
    group: Group, places: Mapping[int, Place], target: Target
) -> Iterator[tuple[NativeCall, Mapping[str, Callable[[], str]]]]:
    """The one call of an ensemble, whose nodes are constants."""
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
        _is_regular(told),
    )
    source, (total, touched) = places[x.id], group.results
    lanes = forest.lanes(target)
    words: dict[int, Argument] = dict.fromkeys(range(Word.WORDS), 0)
    words |= {
        Word.X: Address(source.storage, source.offset),
        Word.ROWS: x.shape[0],
        Word.FEATURES: x.shape[1],
        Word.MOST_FEATURES: int(told["feature"][inner].max(initial=-1)) + 1,
        Word.NODES: len(inner),
        Word.FIRST: 2 * len(inner) + 2,
        Word.TREES: len(told["root"]),
        Word.TARGETS: targets,
    }
    arrays = _arrays(told, lanes, forest)
    kinds = {Word.THRESHOLD: forest.dtype, Word.WEIGHT: forest.weights}
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
        scratch_bytes=lanes * targets * 17 + 64,
        kind="trees",
        plan=f"{len(told['root'])} trees of {len(inner)} nodes for {x.shape[0]} rows",
    )
    yield call, {forest.symbol: lambda: forest_ir(forest, target)}


def _check(told: Mapping[str, Array], targets: int) -> None:
    """Raises CompileError for nodes or entries that do not exist."""
    inner, nodes, entries = told["mode"] < LEAF, len(told["mode"]), len(told["target"])
    yes, no = told["yes"].astype(np.int64), told["no"].astype(np.int64)
    inside = [(told["root"], nodes), (yes[inner], nodes), (no[inner], nodes), (told["target"], targets)]
    inside += [(told["feature"][inner], 1 << MODE_SHIFT), (no[~inner], entries + 1)]
    inside += [(yes[~inner] + no[~inner], entries + 1)]
    if any(a.size and not (a.min() >= 0 and a.max() < size) for a, size in inside) or (yes[~inner] < 0).any():
        raise CompileError(
            "an ensemble of trees names nodes, features or targets that do not exist; check it"
        )


def _is_regular(told: Mapping[str, Array]) -> bool:
    """Whether all leaves have entries of the same different targets in the same order."""
    leaf = told["mode"] >= LEAF
    start, count = told["yes"][leaf], told["no"][leaf]
    if not count.size or not count[0] or (count != count[0]).any():
        return False
    targets = told["target"][start[:, None] + np.arange(count[0])]
    return bool((targets == targets[0]).all()) and len(set(targets[0].tolist())) == count[0]


def _arrays(told: Mapping[str, Array], lanes: int, forest: Forest) -> dict[Word, Array]:
    """The constant operands; node `nodes` is a leaf without weight."""
    inner, nodes = told["mode"] < LEAF, len(told["mode"])
    facts = np.where(inner, told["feature"], 0) | (told["mode"].astype(np.int64) << MODE_SHIFT)
    facts = np.append(facts | told["missing"].astype(np.int64) << MISSING_SHIFT, LEAF << MODE_SHIFT)
    threshold = np.append(told["threshold"], told["threshold"].dtype.type(0))
    leads = np.stack([np.arange(nodes + 1)] * 2, 1)
    leads[:nodes][inner] = np.stack([told["yes"], told["no"]], 1)[inner]
    roots = np.pad(told["root"], (0, -len(told["root"]) % lanes), constant_values=nodes)
    edges = np.concatenate([leads.reshape(-1), roots])
    start, count = (np.append(np.where(inner, 0, told[name]), 0) for name in ("yes", "no"))
    target, weight = told["target"], told["weight"]
    if forest.regular:
        entries = int(told["no"][~inner][0])
        start[nodes] = len(target)
        neutral = {"sum": 0.0, "min": np.inf, "max": -np.inf}[forest.combine]
        weight = np.append(weight, np.full(entries, neutral, weight.dtype))
        first = told["yes"][~inner][0]
        target, count = target[first : first + entries], np.asarray([entries])
    whole = {Word.NEXT: 2 * edges, Word.FACTS: facts[edges], Word.START: start, Word.COUNT: count}
    arrays = {word: array.astype(np.int32) for word, array in (*whole.items(), (Word.TARGET, target))}
    return {**arrays, Word.THRESHOLD: threshold[edges], Word.WEIGHT: weight}


def _stored(array: Array, dtype: DType) -> Storage:
    value = const(np.ascontiguousarray(array, dtype.numpy))
    return Storage("const", dtype, array.size, 0, value)

"""Trees cut into clusters: up to seven nodes of three levels are one record, which one comparison answers.

The nodes of a record lie as in a heap: node n is followed by 2n + 1 after a yes and 2n + 2 after a no. A leaf
that ends a walk inside follows itself, whatever its place asks. Decides how records lie in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.ir.algorithms.trees import LEAF

Array = np.ndarray[Any, Any]
LEVELS = 3
NODES = (1 << LEVELS) - 1
EXITS = 1 << LEVELS
_LINE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a record: thresholds, `masks` bytes with a bit for each node, exits, features.

    An exit of 2 bytes is how many clusters farther the next one is, or the highest bit and the number of a
    leaf in its tree; one of 4 bytes is the number of the next one, or the highest bit and that of a leaf.
    """

    real_bytes: int
    masks: int
    exit_bytes: int
    feature_bytes: int

    @property
    def exits_at(self) -> int:
        """Where the exits begin."""
        return -(-(NODES * self.real_bytes + self.masks) // self.exit_bytes) * self.exit_bytes

    @property
    def masks_at(self) -> int:
        """Where the masks begin: a vector of thresholds reads them too."""
        return NODES * self.real_bytes

    @property
    def features_at(self) -> int:
        """Where the features begin."""
        end = self.exits_at + EXITS * self.exit_bytes
        return -(-end // self.feature_bytes) * self.feature_bytes

    @property
    def size_bytes(self) -> int:
        """Bytes of a record, whole lines of the cache; a vector of EXITS features ends inside."""
        return -(-(self.features_at + EXITS * self.feature_bytes) // _LINE_BYTES) * _LINE_BYTES

    @property
    def leaf_bit(self) -> int:
        """The bit of an exit that tells leaves from clusters."""
        return 1 << (8 * self.exit_bytes - 1)

    @property
    def record(self) -> np.dtype[Any]:
        """A record as numpy has it."""
        kinds = {
            "threshold": (f"f{self.real_bytes}", NODES, 0),
            "masks": ("u1", self.masks, self.masks_at),
            "exits": (f"u{self.exit_bytes}", EXITS, self.exits_at),
            "features": (f"u{self.feature_bytes}", NODES, self.features_at),
        }
        return np.dtype(
            {
                "names": list(kinds),
                "formats": [(kind, (count,)) for kind, count, _ in kinds.values()],
                "offsets": [at for *_, at in kinds.values()],
                "itemsize": self.size_bytes,
            }
        )


@dataclass(frozen=True, slots=True)
class Clusters:
    """A forest cut up.

    Nodes ask for the first `features` by comparisons `modes`; `missing` tells whether NaN means yes to any.
    Records have a mask for each of several modes, then one for `missing`. `records` are the clusters, `roots`
    the number of each tree's first one, `leaves` the nodes that are leaves, by number. An exit to a leaf plus
    what `bases` has for the tree is its number, modulo 2^32.
    """

    features: int
    modes: tuple[int, ...]
    missing: bool
    layout: Layout
    records: Array
    roots: Array
    bases: Array
    leaves: Array


def cut(tables: Mapping[str, Array], order: tuple[Array, Array] | None = None) -> Clusters:
    """The clusters of a forest, by the tables of `Forest` in `ops/ml`. Walks end; nodes may be shared.

    `order`, if any, are the leaves that trees have by number, and the number of each tree's first one.
    """
    inner = tables["mode"] < LEAF
    modes = tuple(np.unique(tables["mode"][inner]).tolist())
    missing = bool(tables["missing"][inner].any())
    owner = _owners(tables, inner)
    node = np.flatnonzero(owner >= 0)
    leaves = order[0] if order else np.flatnonzero(~inner)
    number = np.zeros(len(inner), np.int32)
    number[node] = np.arange(len(node), dtype=np.int32)
    roots = number[tables["root"]]
    number[leaves] = np.arange(len(leaves), dtype=np.int32)
    first = order[1] if order else np.searchsorted(leaves, tables["root"]).astype(np.int32)
    own = np.arange(len(inner), dtype=np.int32)
    sides = [np.where(inner, tables[side], own) for side in ("yes", "no")]
    nodes, exits = _heap(node, sides)
    from_tree, from_own = first[owner[node]], own[: len(node)]
    ends = [~inner[exit_] for exit_ in exits]
    codes = [number[exit_] for exit_ in exits]
    near = [code - np.where(end, from_tree, from_own) for code, end in zip(codes, ends, strict=True)]
    is_near = all(
        bool(((away >= ~end) & (away < 1 << 15)).all()) for away, end in zip(near, ends, strict=True)
    )
    masks = [tables["mode"] == mode for mode in modes] if len(modes) > 1 else []
    masks += [tables["missing"]] if missing else []
    features = int(tables["feature"][inner].max(initial=-1)) + 1
    feature_bytes = next(size for size in (1, 2, 4) if features <= 1 << 8 * size)
    layout = Layout(tables["threshold"].itemsize, len(masks), 2 if is_near else 4, feature_bytes)
    records = np.zeros(len(node), layout.record)
    _ask(records, nodes, {**tables, "masks": masks}, inner)
    for place, (code, end) in enumerate(zip(near if is_near else codes, ends, strict=True)):
        kind = records["exits"].dtype
        records["exits"][:, place] = code.astype(kind) | end * kind.type(layout.leaf_bit)
    bases = (first if is_near else np.zeros_like(first)) - np.int64(layout.leaf_bit)
    return Clusters(features, modes, missing, layout, records, roots, bases.astype(np.int32), leaves)


def _owners(tables: Mapping[str, Array], inner: Array) -> Array:
    """For each node that begins a cluster a tree that it is reached in; -1 for all others."""
    yes, no = tables["yes"], tables["no"]
    owner = np.full(len(inner), -1, np.int32)
    tree, node = np.arange(len(tables["root"]), dtype=np.int32), tables["root"]
    while len(node):
        number = np.arange(len(node), dtype=np.int32)
        owner[node] = number
        once = owner[node] == number
        tree, node = tree[once], node[once]
        owner[node] = tree
        for _ in range(LEVELS):
            going = inner[node]
            tree, node = tree[going], node[going]
            tree, node = np.concatenate([tree, tree]), np.concatenate([yes[node], no[node]])
        new = inner[node] & (owner[node] < 0)
        tree, node = tree[new], node[new]
    return owner


def _ask(records: Array, nodes: Sequence[Array], tables: Mapping[str, Any], inner: Array) -> None:
    """Fill in what nodes ask, place by place; leaves may ask anything, but for features that there are."""
    features = np.where(inner, tables["feature"], 0).astype(records["features"].dtype)
    for place, node in enumerate(nodes):
        records["threshold"][:, place] = tables["threshold"][node]
        records["features"][:, place] = features[node]
        for number, mask in enumerate(tables["masks"]):
            records["masks"][:, number] |= mask[node].astype(np.uint8) << place


def _heap(node: Array, sides: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """The nodes of the clusters that begin at these, place by place, and their exits."""
    nodes, level = [], [node]
    for _ in range(LEVELS):
        nodes += level
        level = [side[above] for above in level for side in sides]
    return nodes, level

"""What a kernel of trees is told: its words, and what it is generated for."""

from __future__ import annotations

from enum import IntEnum, auto

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.kernels.trees.clusters import Layout

TREES = 512
"""Most trees that a row walks through at a time."""


class Word(IntEnum):
    """Argument words.

    X [ROWS, FEATURES]. CLUSTERS are records of `Layout`. ROOTS, i64, are the first cluster of each tree, and
    in the upper half its number modulo TREES; BASES, i32, make exits leaves, as `Clusters` says. START and
    COUNT, i32, are the entries of each leaf, TARGET (i32) and WEIGHT those of an entry; or all leaves have an
    entry for each target from FIRST on, and WEIGHT is [leaves, width]. HEADS, TESTS and LEAVES are the small
    trees of `Bits`, each of OUTPUTS targets, for LEAST_ROWS rows or more. NAMED, u8, tells which targets
    there are entries for, where that goes by the forest alone. ASKED, i32, PIVOTS, LIMITS, STEPS, SLOTS, i64,
    NODES and BEGINS, i64, are what `Ordinals` calls so, of SEARCHES searches with SEARCH_LIMITS thresholds
    each; then BASES are the first leaf of each tree, and there are no clusters. Results: TOTAL and TOUCHED
    (or 0) [ROWS, TARGETS].
    """

    X = 0
    ROWS = auto()
    FEATURES = auto()
    MOST_FEATURES = auto()
    TREES = auto()
    TARGETS = auto()
    CLUSTERS = auto()
    ROOTS = auto()
    BASES = auto()
    START = auto()
    COUNT = auto()
    TARGET = auto()
    WEIGHT = auto()
    FIRST = auto()
    NAMED = auto()
    HEADS = auto()
    TESTS = auto()
    LEAVES = auto()
    OUTPUTS = auto()
    LEAST_ROWS = auto()
    SEARCHES = auto()
    ASKED = auto()
    PIVOTS = auto()
    LIMITS = auto()
    SEARCH_LIMITS = auto()
    STEPS = auto()
    SLOTS = auto()
    NODES = auto()
    BEGINS = auto()
    TOTAL = auto()
    TOUCHED = auto()
    WORDS = auto()


SIZES = (
    Word.ROWS,
    Word.FEATURES,
    Word.MOST_FEATURES,
    Word.TREES,
    Word.TARGETS,
    Word.FIRST,
    Word.OUTPUTS,
    Word.LEAST_ROWS,
    Word.SEARCHES,
    Word.SEARCH_LIMITS,
)


@dataclass(frozen=True, slots=True)
class Forest:
    """What a kernel is generated for: element types, the comparisons that occur, and how weights combine.

    Features of a row fill `registers` vectors, or 0. `width` is the number of weights of every leaf where all
    are for the same targets, else 0. `bits` is the size of masks of leaves where all trees are small, else 0.
    `ordinals` are the bytes of a table of ordinals, `abreast` the vectors of trees side by side; where there
    are none, rows walk through clusters as `layout` has them. With `blocks` many rows are asked by ordinals
    too; `leaves` are then those that stay in registers, those of any tree, or 0 where these do not.
    """

    dtype: DType
    weights: DType
    modes: tuple[int, ...]
    missing: bool
    combine: str
    layout: Layout | None = None
    registers: int = 0
    width: int = 0
    bits: int = 0
    ordinals: int = 0
    abreast: int = 0
    blocks: bool = False
    leaves: int = 0

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        modes = "".join(map(str, self.modes)) + ("m" if self.missing else "")
        layout = f"{self.layout.exit_bytes}{self.layout.feature_bytes}" if self.layout else "r"
        sizes = f"{layout}_{self.registers}_{self.width}_{self.bits}_{self.ordinals}_{self.abreast}"
        sizes += f"_b{self.leaves}" if self.blocks else ""
        return f"sdx_trees_{self.dtype.name}_{self.weights.name}_{self.combine}_{modes}_{sizes}"

    @property
    def stored(self) -> DType:
        """The type of weights in memory."""
        return dt.F64 if self.weights is dt.F64 else dt.F32

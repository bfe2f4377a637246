"""A compiled model as plain data: what is called in which order, with which words, on which memory.

Everything here pickles. Must not know ONNX, passes, code generation or how a run is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import NamedTuple
from sardonyx.base.report import FallbackNote
from sardonyx.base.signature import ModelMeta, TensorInfo

if TYPE_CHECKING:
    import numpy.typing as npt

HostFunction = Callable[[Sequence[Any], Mapping[str, int]], Any]
"""An operation in Python: (arrays, sizes by symbol) -> result, or a sequence of results."""


class Startable(Protocol):
    """An operation that runs programs of its own, as data; see `runtime.control`."""

    def start(self, start: Any) -> HostFunction:
        """The operation, ready to run."""
        ...


SpecKind: TypeAlias = Literal["input", "output", "host", "const", "sizes", "arena"]


class StorageSpec(NamedTuple):
    """One block of memory.

    `kind`: "input" and "output" (numbered by `number`), "host" (result `number` of a host step), "const"
    (weight `number`), "sizes" (holds the values of `slots`), "arena" (of as many elements as `slot` says;
    live from phase `first` to `last` of `segment`, `last` = -1: to the end of the run). Slots are those of
    `segment`, the first that uses the storage.
    """

    kind: SpecKind
    dtype: str
    number: int = 0
    segment: int = 0
    slot: int = 0
    first: int = 0
    last: int = -1
    slots: tuple[int, ...] = ()


class View(NamedTuple):
    """A tensor for the host: a storage with shape, strides and offset (elements) given by slots.

    `host` >= 0: that result of a host step, whatever it is. An output without `offset` is meant as a whole.
    """

    storage: int
    dtype: str
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    offset: int = -1
    host: int = -1


class HostStep(NamedTuple):
    """One operation that runs in Python; `into` are the numbers of its results.

    `binds` names sizes read from the results: (symbol, index, result); element `index` of the content if the
    result is None, else the extent of that axis of that result.
    """

    run: HostFunction | Startable
    args: tuple[View, ...]
    into: tuple[int, ...]
    many: bool
    binds: tuple[tuple[str, int, int | None], ...] = ()
    name: str = ""


class Source(NamedTuple):
    """What a closing step reads, or a run gives: a feed, output of native code, constant, or step."""

    kind: Literal["feed", "made", "constant", "step"]
    number: int


class ClosingStep(NamedTuple):
    """One operation in Python behind all others, with one result."""

    run: HostFunction | Startable
    args: tuple[Source, ...]
    name: str


class Closing(NamedTuple):
    """How the results of a model are made of feeds and of what its program computes; see `runtime.closing`.

    The result of each step is read once, by another step or as one of `results`.
    """

    steps: tuple[ClosingStep, ...]
    constants: tuple[npt.NDArray[Any], ...]
    results: tuple[Source, ...]


class CallCosts(NamedTuple):
    """Floating-point operations and bytes of memory traffic of calls, for who measures them.

    `code` computes sizes from the symbols in `names` (see `base.evaluator`); `slots` says which two of them a
    call has, 0 meaning unknown.
    """

    names: tuple[str, ...]
    code: bytes
    slots: tuple[tuple[int, int], ...]


class Segment(NamedTuple):
    """Native calls between host steps.

    One entry a call: `functions` (symbols), `origins` (ONNX nodes), `counts` (argument words), `flags` (see
    `base.abi.Record`). `words` is int64[4, n], rows storage, slot, scale, constant: a word is the address
    of the storage (-1: 0) + slot (-1: 0) * scale + constant; to the words at the positions of `entries` the
    address of a function is added.

    `code` computes all slots from the symbols in `names` (see `base.evaluator`). `outputs` pairs storages
    with the slots of their shape. `checks` are the messages of what `code` refuses. `work` and `scratch` are
    slots. After the calls the symbols of `after` are read, each an element of a view, and `host` runs.
    `costs` are those of its calls. `refusals` are calls of `sdx_require` with the messages of what they
    refuse.
    """

    functions: tuple[str, ...]
    origins: tuple[tuple[str, ...], ...]
    counts: tuple[int, ...]
    flags: tuple[int, ...]
    words: npt.NDArray[np.int64]
    entries: tuple[tuple[int, str], ...]
    names: tuple[str, ...]
    code: bytes
    outputs: tuple[tuple[int, tuple[int, ...]], ...]
    checks: tuple[str, ...]
    work: int
    scratch: int
    costs: CallCosts
    after: tuple[tuple[View, int, str], ...] = ()
    host: HostStep | None = None
    refusals: tuple[tuple[int, tuple[str, ...]], ...] = ()
    repeats: bool = False


class LeastSizes(NamedTuple):
    """Least values of sizes that a program was compiled for.

    `code` computes the sizes from the symbols in `names` (see `base.evaluator`); `least` has the least value
    of each and the symbols it depends on.
    """

    code: bytes
    names: tuple[str, ...]
    least: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(slots=True)
class ProgramData:
    """Everything about a program but machine code and weights.

    `symbols` says which input axis binds a symbol: (name, input, axis). An axis of an input is a number or a
    symbol; inputs that are not tensors have no shape. `results` is where each output is found at the end, in
    terms of the last segment; with `closing`, these are what that makes the outputs of. `fallbacks` are the
    operators without native code.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    initializer_inputs: tuple[TensorInfo, ...]
    metadata: ModelMeta
    fallbacks: tuple[FallbackNote, ...]
    symbols: tuple[tuple[str, int, int], ...]
    input_shapes: tuple[tuple[int | str, ...] | None, ...]
    storages: tuple[StorageSpec, ...]
    segments: tuple[Segment, ...]
    results: tuple[View, ...]
    least_sizes: LeastSizes | None = None
    closing: Closing | None = None

"""The native call of a contraction and its end: what products and convolutions have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.dim import Dim
from sardonyx.ir.place import Storage
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Conv, Gemm, Winograd
from sardonyx.kernels.call import Argument, NativeCall, in_order
from sardonyx.kernels.epilogue import epilogue_reads
from sardonyx.loops.nest import Kernel, Store


@dataclass(frozen=True, slots=True)
class EndWords:
    """What happens to finished tiles.

    Its words by number, the words of a generated epilogue, the IR modules that this needs by name, and
    whether most tiles do without it.
    """

    words: Mapping[int, Argument]
    tail: tuple[Argument, ...] = ()
    modules: Mapping[str, str] = field(default_factory=dict)
    in_registers: bool = False

    @property
    def plan(self) -> str:
        """Where the end is computed, for the report."""
        return "per tile" if self.modules and not self.in_registers else "in registers"


@dataclass(frozen=True, slots=True)
class Contraction:
    """A contraction before it is a call.

    Attributes:
        layout: what the numbers of words mean.
        words: those that are not 0.
        end: what happens to its tiles, from `kernel`.
        kernel: the loop nest of its epilogue.
        sources: the operands.
    """

    layout: type[Gemm] | type[Conv] | type[Winograd]
    words: Mapping[int, Argument]
    end: EndWords
    kernel: Kernel
    sources: Sequence[Storage]

    def call(
        self,
        symbol: str,
        kind: str,
        *,
        work: Dim,
        scratch_bytes: Dim,
        arithmetic: str,
        plan: str,
        flops: Dim | None = None,
    ) -> NativeCall:
        """The call of `symbol`; the rest as `NativeCall` says, `flops` being the work unless given."""
        words = {**self.words, **self.end.words}
        store = self.kernel.body[-1]
        assert isinstance(store, Store)
        return NativeCall(
            symbol,
            (*in_order(words, self.layout.EPILOGUE_WORDS), *self.end.tail),
            tuple(dict.fromkeys([*self.sources, *epilogue_reads(self.kernel)])),
            (store.buffer.key,),
            self.kernel.origins,
            work=work,
            scratch_bytes=scratch_bytes,
            kind=kind,
            arithmetic=arithmetic,
            plan=plan,
            flops=work if flops is None else flops,
        )


def results_of(anchor: Value) -> Dim:
    """How many sums a convolution has; the channels that fill up its last block are none."""
    if anchor.prim != "conv_blocked":
        return anchor.size
    batch, _, *positions, _ = anchor.shape
    return dims.product([batch, *positions, anchor.args[1].shape[0]])

"""What happens to the finished tiles of a convolution, as words of its call."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dtype import DType
from sardonyx.kernels.arguments import Conv, Winograd
from sardonyx.kernels.call import Address, Argument, Entry
from sardonyx.kernels.contraction import EndWords
from sardonyx.kernels.convolution.gate import match_gate
from sardonyx.kernels.convolution.leak import match_leak
from sardonyx.kernels.epilogue import Finish, match_finish
from sardonyx.kernels.loops import Emissions
from sardonyx.loops.nest import Axis, Kernel, Store


def end_words(
    kernel: Kernel,
    dtype: DType,
    words: type[Conv] | type[Winograd],
    axes: Sequence[Axis],
    emissions: Emissions,
    *,
    may_round: bool = False,
    may_gate: bool = False,
    may_leak: bool = False,
) -> EndWords:
    """For an epilogue kernel; `axes` are those of the strides from Y_BATCH on.

    Only a convolution that never stores sums at once `may_round` them, only one on vectors `may_gate` floats,
    and that or one by transforms `may_leak`.
    """
    finish = match_finish(kernel, may_round=may_round and len(kernel.outer) == 5)
    store = kernel.body[-1]
    assert isinstance(store, Store)
    blocked = len(kernel.outer) == 5
    if finish is None or (blocked and finish.to.factor(kernel.outer[-1]) != 1):
        leak = match_leak(kernel) if may_leak else None
        found: dict[int, Argument] = {}
        if leak and leak.finish.to.factor(kernel.outer[-1]) == 1:
            found = _stored(leak.finish, store, words, axes) | leak.words(words, axes)
            if words is Winograd:
                return EndWords(found)
        gate = match_gate(kernel) if may_gate and blocked and not found else None
        if gate and gate.finish.to.factor(kernel.outer[-1]) == 1:
            found = _stored(gate.finish, store, words, axes) | gate.words(axes)
        end, ir = emissions.call(kernel)
        called: dict[int, Argument] = {words.EPILOGUE: Entry(end.symbol)}
        return EndWords(called | found, end.words, {end.symbol: ir}, in_registers=bool(found))
    found = _stored(finish, store, words, axes)
    found |= {words.FINISH + n: word for n, word in enumerate(finish.words(dtype, axes))}
    return EndWords(found)


def _stored(
    finish: Finish, store: Store, words: type[Conv] | type[Winograd], axes: Sequence[Axis]
) -> dict[int, Argument]:
    """Where results go."""
    found: dict[int, Argument] = {words.Y: Address(store.buffer.key, finish.to.const)}
    return found | {words.Y_BATCH + n: finish.to.factor(axis) for n, axis in enumerate(axes)}

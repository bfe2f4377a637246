"""What happens to the finished tiles of a convolution, as words of its call."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dtype import DType
from sardonyx.kernels.arguments import Conv, Winograd
from sardonyx.kernels.call import Address, Argument, Entry
from sardonyx.kernels.contraction import EndWords
from sardonyx.kernels.epilogue import match_finish
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
) -> EndWords:
    """For an epilogue kernel; `axes` are those of the strides from Y_BATCH on.

    Only a convolution that never stores sums at once `may_round` them.
    """
    finish = match_finish(kernel, may_round=may_round and len(kernel.outer) == 5)
    store = kernel.body[-1]
    assert isinstance(store, Store)
    blocked = len(kernel.outer) == 5
    if finish is None or (blocked and finish.to.factor(kernel.outer[-1]) != 1):
        end, ir = emissions.call(kernel)
        return EndWords({words.EPILOGUE: Entry(end.symbol)}, end.words, {end.symbol: ir})
    found: dict[int, Argument] = {words.Y: Address(store.buffer.key, finish.to.const)}
    found |= {words.Y_BATCH + n: finish.to.factor(axis) for n, axis in enumerate(axes)}
    found |= {words.FINISH + n: word for n, word in enumerate(finish.words(dtype, axes))}
    return EndWords(found)

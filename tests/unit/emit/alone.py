"""Runs one kernel that a test builds by hand, natively and with numpy, on guarded memory."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base.abi import Status
from sardonyx.base.target import Target
from sardonyx.emit.nest import Emitted, emit
from sardonyx.loops.nest import Buffer, Kernel
from sardonyx.loops.run import run as run_with_numpy
from sardonyx.loops.verify import verify
from sardonyx.object import executor
from tests.unit.contexts import contexts
from tests.unit.kernels.native import guarded
from tests.unit.objects import compiled, compiled_alone, loaded

Array = np.ndarray[Any, Any]
_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class Stopped(Exception):  # noqa: N818
    """What a kernel reported: a code and two details."""


def words_of(emitted: Emitted, memory: Mapping[Buffer, Array], sizes: Mapping[str, int]) -> Array:
    """The argument words of a kernel over some buffers."""
    words = np.zeros(max(1, len(emitted.words)), np.int64)
    for number, word in enumerate(emitted.words):
        words[number] = dims.evaluate(word.dim, sizes)
        if word.buffer is not None:
            array = memory[word.buffer]
            words[number] = words[number] * array.itemsize + array.ctypes.data
    return guarded(words)


class Native:
    """The code of one kernel."""

    def __init__(self, kernel: Kernel, target: Target | None = None) -> None:
        target = target or targets.detect()
        self.emitted = emit(kernel, target)
        shared = [executor.ir(target), *(turn.ir(target) for turn in self.emitted.turns)]
        codes = [compiled(text, target) for text in shared]
        self._image = loaded([*codes, compiled_alone(self.emitted.ir, target)], target)

    def run(
        self, arrays: Mapping[Buffer, Array], sizes: Mapping[str, int] | None = None, threads: int = 1
    ) -> dict[Buffer, Array]:
        """The buffers after the kernel has run on copies of them; raises `Stopped`."""
        sizes, memory = sizes or {}, {buffer: guarded(array) for buffer, array in arrays.items()}
        words, status = words_of(self.emitted, memory, sizes), np.zeros(Status.WORDS, np.int64)
        size = dims.evaluate(self.emitted.scratch_bytes, sizes)
        scratch = guarded(np.full(-(-size // 64) * 64, 0xFF, np.uint8), align=64)
        for context in contexts(threads, scratch, status):
            _KERNEL(self._image.address(self.emitted.symbol))(words.ctypes.data, context.ctypes.data)
        if status[Status.CODE]:
            raise Stopped(*(int(status[w]) for w in (Status.CODE, Status.DETAIL0, Status.DETAIL1)))
        return memory


def run(
    kernel: Kernel, arrays: Mapping[Buffer, Array], sizes: Mapping[str, int] | None = None
) -> dict[Buffer, Array]:
    """The buffers after one thread has run the kernel on copies of them; raises `Stopped`."""
    return Native(kernel).run(arrays, sizes)


def check(kernel: Kernel, arrays: Mapping[Buffer, Array], sizes: Mapping[str, int] | None = None) -> None:
    """Native code, alone and shared by three threads, leaves bit by bit what numpy leaves."""
    verify(kernel)
    expected = {buffer: array.copy() for buffer, array in arrays.items()}
    run_with_numpy(kernel, expected, sizes or {})
    native = Native(kernel)
    for threads in (1, 3):
        for buffer, got in native.run(arrays, sizes, threads).items():
            assert got.tobytes() == expected[buffer].tobytes(), f"{buffer.name} on {threads} threads"

"""What this machine does at most with a number of threads: fp32 FMAs a second, bytes a second by amount.

Measured by native loops of a few milliseconds; must not know models.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from sardonyx import targets
from sardonyx.base.abi import Context
from sardonyx.base.target import Target
from sardonyx.errors import CompileError
from sardonyx.object import executor
from sardonyx.object.engine import compile_object
from sardonyx.object.link import link
from sardonyx.runtime.allocate import aligned_bytes
from sardonyx.runtime.image import load
from sardonyx.runtime.team import Launch, Team

_CHAINS, _VECTORS = 10, 4
_FMA_ROUNDS, _TRIALS = 100_000, 10
_LEAST_BYTES, _MOST_BYTES, _COPIED_BYTES = 1 << 15, 1 << 27, 1 << 25


class Peak(NamedTuple):
    """Floating-point operations a second (an FMA is two), and (bytes touched, bytes a second) by amount."""

    threads: int
    flops: float
    rates: tuple[tuple[int, float], ...]

    def rate(self, size: float) -> float:
        """Bytes a second of a loop that touches that many bytes: measured at the nearest smaller amount."""
        return next((rate for amount, rate in reversed(self.rates) if amount <= size), self.rates[0][1])

    def text(self) -> str:
        """For readers."""
        near, far = max(rate for _, rate in self.rates), self.rates[-1][1]
        return (
            f"peak of {self.threads} thread{'s' if self.threads > 1 else ''}, measured: "
            f"{self.flops / 1e9:.0f} GFLOP/s (fp32 FMA), {near / 1e9:.0f} GB/s in the caches, "
            f"{far / 1e9:.0f} GB/s in memory"
        )

    def share(self, flops: float, size: float, seconds: float) -> float:
        """How near the nearer of two roofs is, arithmetic and memory: 1 = as fast as this machine can."""
        return max(flops / self.flops, size / self.rate(size)) / seconds


def measure(threads: int) -> Peak:
    """The best of several short runs on that many threads, which take some tenths of a second.

    Raises CompileError on machines without native code.
    """
    target = targets.detect()
    if target.executor is None:
        raise CompileError(f"{target.name} executes no native code, whose peak could be measured")
    image = load(link([compile_object(text, target) for text in (executor.ir(target), ir(target))], target))
    team = Team(image, threads)
    memory = aligned_bytes(_MOST_BYTES)
    memory[:] = 0
    try:

        def seconds(symbol: str, *words: int) -> float:
            arguments = np.array(words, np.int64)
            records = np.array([[image.address(symbol), arguments.ctypes.data, 0]], np.int64)
            launch = Launch(image, records, threads=threads, keep=arguments)
            return min(float(team.profile(launch)[1].busy_ns.max()) for _ in range(_TRIALS)) * 1e-9

        work = 2 * target.lanes * _CHAINS * _FMA_ROUNDS * threads
        flops = work / seconds("fma", memory.ctypes.data, _FMA_ROUNDS)
        rates = []
        size = _LEAST_BYTES * threads
        while size <= _MOST_BYTES:
            rounds = max(1, _COPIED_BYTES // size)
            each = size // threads // (2 * _step(target)) * 2 * _step(target)
            rates.append((size, each * threads * rounds / seconds("copy", memory.ctypes.data, each, rounds)))
            size *= 4
    finally:
        team.close()
    return Peak(threads, flops, tuple(rates))


def _step(target: Target) -> int:
    return 4 * target.lanes * _VECTORS


def ir(target: Target) -> str:
    """Two functions: `fma` (memory, rounds) of independent chains, `copy` (memory, bytes a thread, rounds).

    A thread of `copy` writes the first half of its bytes to the second.
    """
    vector = f"<{target.lanes} x float>"
    chains = range(_CHAINS)
    name = f"@llvm.fma.v{target.lanes}f32"
    fma = [
        *(f"%x{n} = phi {vector} [ %seed, %entry ], [ %y{n}, %round ]" for n in chains),
        *(f"%y{n} = call {vector} {name}({vector} %x{n}, {vector} %seed, {vector} %seed)" for n in chains),
    ]
    sums = [f"%s{n + 1} = fadd {vector} %{'s' if n else 'y'}{n}, %y{n + 1}" for n in chains[:-1]]
    copies = []
    for n, (kind, base) in product(range(_VECTORS), (("load", "from"), ("store", "to"))):
        pointer = f"%{base}{n}"
        copies.append(f"{pointer} = getelementptr {vector}, ptr %{base}.p, i64 {n}")
        copies.append(
            f"%v{n} = load {vector}, ptr {pointer}"
            if kind == "load"
            else f"store {vector} %v{n}, ptr {pointer}"
        )
    return _TEXT.format(
        vector=vector,
        lanes=target.lanes,
        tid=int(Context.TID),
        fma="\n  ".join(fma),
        sums="\n  ".join(sums),
        last=f"%s{_CHAINS - 1}",
        copies="\n  ".join(copies),
        step=_step(target),
    )


_TEXT = """
declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})

define void @fma(ptr %args, ptr %ctx) nounwind {{
entry:
  %memory = load ptr, ptr %args
  %rounds.p = getelementptr i64, ptr %args, i64 1
  %rounds = load i64, ptr %rounds.p
  %tid.p = getelementptr i64, ptr %ctx, i64 {tid}
  %tid = load i64, ptr %tid.p
  %far = mul i64 %tid, 256
  %mine = getelementptr i8, ptr %memory, i64 %far
  %seed = load {vector}, ptr %mine
  br label %round
round:
  %i = phi i64 [ 0, %entry ], [ %next, %round ]
  {fma}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %rounds
  br i1 %more, label %round, label %done
done:
  {sums}
  store {vector} {last}, ptr %mine
  ret void
}}

define void @copy(ptr %args, ptr %ctx) nounwind {{
entry:
  %memory = load ptr, ptr %args
  %bytes.p = getelementptr i64, ptr %args, i64 1
  %bytes = load i64, ptr %bytes.p
  %rounds.p = getelementptr i64, ptr %args, i64 2
  %rounds = load i64, ptr %rounds.p
  %tid.p = getelementptr i64, ptr %ctx, i64 {tid}
  %tid = load i64, ptr %tid.p
  %far = mul i64 %tid, %bytes
  %half = sdiv i64 %bytes, 2
  %from = getelementptr i8, ptr %memory, i64 %far
  %to = getelementptr i8, ptr %from, i64 %half
  br label %round
round:
  %i = phi i64 [ 0, %entry ], [ %next, %end ]
  br label %vectors
vectors:
  %at = phi i64 [ 0, %round ], [ %after, %vectors ]
  %from.p = getelementptr i8, ptr %from, i64 %at
  %to.p = getelementptr i8, ptr %to, i64 %at
  {copies}
  %after = add i64 %at, {step}
  %inside = icmp slt i64 %after, %half
  br i1 %inside, label %vectors, label %end
end:
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %rounds
  br i1 %more, label %round, label %done
done:
  ret void
}}
"""

"""Small native kernels for tests of the team, written in LLVM IR as real ones are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx import targets
from sardonyx.base.abi import BARRIER_AFTER
from sardonyx.object import executor
from sardonyx.runtime.image import LoadedImage
from sardonyx.runtime.team import Launch
from tests.unit.objects import compiled, loaded

KERNELS = """
declare void @sdx_barrier(ptr)
declare void @sdx_fail(ptr, i64, i64, i64)

; counts[tid] += nthreads
define void @count(ptr %args, ptr %ctx) nounwind {
  %counts = load ptr, ptr %args
  %tid = load i64, ptr %ctx
  %n.p = getelementptr i64, ptr %ctx, i64 1
  %n = load i64, ptr %n.p
  %mine = getelementptr i64, ptr %counts, i64 %tid
  %old = load i64, ptr %mine
  %new = add i64 %old, %n
  store i64 %new, ptr %mine
  ret void
}

; args: slots, rounds. Every thread writes the round to its slot, meets the others, and reads its neighbour's.
define void @exchange(ptr %args, ptr %ctx) nounwind {
entry:
  %slots = load ptr, ptr %args
  %rounds.p = getelementptr i64, ptr %args, i64 1
  %rounds = load i64, ptr %rounds.p
  %tid = load i64, ptr %ctx
  %n.p = getelementptr i64, ptr %ctx, i64 1
  %n = load i64, ptr %n.p
  %mine = getelementptr i64, ptr %slots, i64 %tid
  %next = add i64 %tid, 1
  %neighbour = urem i64 %next, %n
  %other = getelementptr i64, ptr %slots, i64 %neighbour
  br label %round
round:
  %i = phi i64 [ 0, %entry ], [ %i.next, %again ]
  store i64 %i, ptr %mine
  call void @sdx_barrier(ptr %ctx)
  %seen = load i64, ptr %other
  %same = icmp eq i64 %seen, %i
  br i1 %same, label %again, label %wrong
wrong:
  call void @sdx_fail(ptr %ctx, i64 99, i64 %i, i64 %seen)
  br label %again
again:
  call void @sdx_barrier(ptr %ctx)
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %rounds
  br i1 %more, label %round, label %done
done:
  ret void
}

; args: the thread that fails, its code
define void @fail(ptr %args, ptr %ctx) nounwind {
  %who = load i64, ptr %args
  %code.p = getelementptr i64, ptr %args, i64 1
  %code = load i64, ptr %code.p
  %tid = load i64, ptr %ctx
  %me = icmp eq i64 %who, %tid
  br i1 %me, label %raise, label %done
raise:
  call void @sdx_fail(ptr %ctx, i64 %code, i64 %tid, i64 -5)
  call void @sdx_fail(ptr %ctx, i64 77, i64 0, i64 0)
  br label %done
done:
  ret void
}

; args: out[2 * tid] = address of scratch, out[2 * tid + 1] = its size; the scratch is written
define void @scratch(ptr %args, ptr %ctx) nounwind {
entry:
  %out = load ptr, ptr %args
  %tid = load i64, ptr %ctx
  %memory.p = getelementptr i64, ptr %ctx, i64 3
  %bytes.p = getelementptr i64, ptr %ctx, i64 4
  %memory = load ptr, ptr %memory.p
  %address = load i64, ptr %memory.p
  %bytes = load i64, ptr %bytes.p
  %row = getelementptr [2 x i64], ptr %out, i64 %tid
  %row1 = getelementptr i64, ptr %row, i64 1
  store i64 %address, ptr %row
  store i64 %bytes, ptr %row1
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %i.next, %write ]
  %more = icmp slt i64 %i, %bytes
  br i1 %more, label %write, label %done
write:
  %p = getelementptr i8, ptr %memory, i64 %i
  store i8 1, ptr %p
  %i.next = add i64 %i, 64
  br label %head
done:
  ret void
}

; halves[tid] *= 0.5
define void @halve(ptr %args, ptr %ctx) nounwind {
  %halves = load ptr, ptr %args
  %tid = load i64, ptr %ctx
  %mine = getelementptr float, ptr %halves, i64 %tid
  %x = load float, ptr %mine
  %y = fmul float %x, 0.5
  store float %y, ptr %mine
  ret void
}

; args: a number of turns
define void @spin(ptr %args, ptr %ctx) nounwind {
entry:
  %turns = load i64, ptr %args
  br label %turn
turn:
  %i = phi i64 [ 0, %entry ], [ %i.next, %turn ]
  %i.next = add i64 %i, 1
  call void asm sideeffect "", ""()
  %more = icmp slt i64 %i.next, %turns
  br i1 %more, label %turn, label %done
done:
  ret void
}
"""

Array = npt.NDArray[Any]


def build() -> LoadedImage:
    """The kernels and the executor, ready to run."""
    target = targets.detect()
    return loaded([compiled(ir, target) for ir in (executor.ir(target), KERNELS)], target)


class Program:
    """A list of kernel calls; arguments are words, or arrays passed by address."""

    def __init__(
        self, loaded: LoadedImage, *calls: tuple[str, list[int | Array]], barriers: bool = False
    ) -> None:
        self.image = loaded
        self._args = [(np.array([_word(a) for a in args] or [0], np.int64), args) for _, args in calls]
        flags = BARRIER_AFTER if barriers else 0
        rows = [
            (loaded.address(name), words.ctypes.data, flags)
            for (name, _), (words, _) in zip(calls, self._args, strict=True)
        ]
        self.records = np.array(rows, np.int64).reshape(-1, 3)

    def launch(self, threads: int = 1, scratch_bytes: int = 0, **options: Any) -> Launch:
        """What `Team.run` takes."""
        return Launch(
            self.image, self.records, threads=threads, scratch_bytes=scratch_bytes, keep=self, **options
        )


def _word(value: int | Array) -> int:
    return value if isinstance(value, int) else value.ctypes.data

"""How threads share the work of one call: equal parts, or shares that they claim as they become free.

Must not know what is shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sardonyx.base.abi import Share
from sardonyx.base.dataclass import dataclass
from sardonyx.llvm.vec import Function, V, int_


@dataclass(frozen=True, slots=True)
class Shares:
    """How work is cut: into one share a thread, or into more that threads claim as they become free.

    A thread that is disturbed then claims fewer. Which share is whose decides no result. The code for it is
    written once, in the executor, which kernels call. `units` is into how many equal parts all is cut; a
    share is a run of them.
    """

    ctx: V
    block: V
    units: V

    @staticmethod
    def of(f: Function, ctx: V, threads: V, work: V, most: V) -> Shares:
        """For the first `threads` threads and `work` elementary operations, in at most so many shares."""
        block = f.alloca("i64", Share.WORDS)
        return Shares(ctx, block, f.call("sdx_shares", "i64", threads, work, most, block))

    @contextmanager
    def mine(self, f: Function) -> Iterator[tuple[V, V]]:
        """For each share that this thread works on: the first of its units, and the one after its last."""
        first = f.call("sdx_share", "i64", self.ctx, self.block, int_(1))
        with f.repeat(lambda more: f.icmp("ne", more, int_(0)), [first]) as turn:
            yield f.word(self.block, Share.BEGIN), f.word(self.block, Share.END)
            turn.next(f.call("sdx_share", "i64", self.ctx, self.block, int_(0)))

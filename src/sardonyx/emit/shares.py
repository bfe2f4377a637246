"""How threads share the work of one call: equal parts, or shares that they claim as they become free.

Must not know what is shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.llvm.vec import Function, V, int_

LONG_WORK = 1 << 24
"""Elementary operations for each thread from which shares are claimed: some tenths of a millisecond."""

UNITS = 8
"""Into so many units for each thread is work cut that is claimed."""

FIRST = UNITS // 2
"""Units of the share that each thread claims first; the other shares are units."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How work is cut: into one share a thread, or into more that threads claim as they become free.

    A thread that is disturbed then claims fewer. Which share is whose decides no result. Attributes:
        count: of the shares.
        units: into so many equal parts all is cut; a share is a run of them.
    """

    ctx: V
    threads: V
    count: V
    units: V
    claimed: V

    @staticmethod
    def of(f: Function, ctx: V, threads: V, work: V, most: V) -> Shares:
        """For the first `threads` threads and `work` elementary operations, in at most so many shares."""
        several = f.icmp("sgt", threads, int_(1))
        long = f.icmp("sge", work, f.mul(threads, int_(LONG_WORK)))
        units = f.mul(threads, int_(UNITS))
        enough = f.icmp("sge", most, units)
        claimed = f.binary("and", f.binary("and", several, long), enough)
        count = f.sub(units, f.mul(threads, int_(FIRST - 1)))
        return Shares(
            ctx, threads, f.select(claimed, count, threads), f.select(claimed, units, threads), claimed
        )

    @contextmanager
    def mine(self, f: Function) -> Iterator[tuple[V, V]]:
        """For each share that this thread works on: the first of its units, and the one after its last."""
        first = self._claimed(f, f.word(self.ctx, Context.TID), begins=1)
        with f.repeat(lambda number: f.icmp("slt", number, self.count), [first]) as turn:
            number = turn.carried[0]
            yield self._begin(f, number), self._begin(f, f.add(number, int_(1)))
            turn.next(self._claimed(f, self.count, begins=0))

    def _begin(self, f: Function, number: V) -> V:
        """The unit with which a share begins."""
        large = f.select(self.claimed, int_(FIRST - 1), int_(0))
        return f.add(number, f.mul(f.smin(number, self.threads), large))

    def _claimed(self, f: Function, otherwise: V, *, begins: int) -> V:
        """The next share that is claimed, or what stands for it where nothing is."""
        claim, done = f.new_label("claim"), f.new_label("claimed")
        before = f.label
        f.branch(self.claimed, claim, done)
        f.start(claim)
        number = f.call("sdx_claim", "i64", self.ctx, int_(begins))
        after = f.label
        f.jump(done)
        f.start(done)
        return f.phi((number, after), (otherwise, before))

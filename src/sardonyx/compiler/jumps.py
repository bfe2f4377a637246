"""Records that jump, that leave calls to one thread, and that refuse sizes: calls a run may leave out.

Must not know what is computed nor why it may be left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sardonyx.base import dim as dims
from sardonyx.base.abi import BARRIER_AFTER, IDLE, JUMP
from sardonyx.compiler.records import Records
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.place import Place
from sardonyx.kernels.call import Address
from sardonyx.runtime.team import BARRIER_WORK, LITTLE_WORK

_NO_CALL = "sdx_barrier"
"""The function in a record that calls none."""


class Jumps:
    """Appends jumps to the records of one segment."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def forward(self, origins: tuple[str, ...], condition: Place | None = None) -> int:
        """Skip the calls from here to `land`, unless the bool at `condition` holds; gives its number."""
        test = 0 if condition is None else Address(condition.storage, condition.offset)
        return self.records.add(_NO_CALL, origins, (test, 0), JUMP)

    def land(self, jump: int) -> None:
        """Let a jump end here."""
        records = self.records
        storage, slot, scale, _ = records.words[at := records.begins[jump] + 1]
        records.words[at] = storage, slot, scale, len(records.functions) - jump - 1

    def back(self, origins: tuple[str, ...], condition: Place, to: int) -> None:
        """Go back to the call number `to`, unless the bool at `condition` holds."""
        distance = to - len(self.records.functions) - 1
        test = Address(condition.storage, condition.offset)
        self.records.add(_NO_CALL, origins, (test, distance), JUMP)
        self.records.repeats = True
        self.records.costs[to:] = [(0, 0)] * (len(self.records.functions) - to)

    def join(self, *jumps: int) -> None:
        """All threads wait for each other, those too that come here by a jump."""
        self.records.meet()
        for jump in jumps:
            self.records.flags[jump] |= BARRIER_AFTER

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Leave what is done inside the block to the first thread if its calls do little each time."""
        records = self.records
        if records.alone:
            yield
            return
        records.alone = True
        work, records.work = records.work, 0
        record = records.add("sdx_alone", (), (0, 0))
        at = len(records.words) - 2
        idle = records.add(_NO_CALL, (), (0, 0), JUMP | IDLE)
        yield
        self.land(idle)
        storage, _, scale, constant = records.words[at]
        records.words[at] = storage, records.evaluator.add(records.work), scale, constant
        barriers = sum(flag & BARRIER_AFTER for flag in records.flags[record:])
        records.words[at + 1] = storage, -1, scale, LITTLE_WORK + BARRIER_WORK * barriers
        records.work = work + records.work
        records.add("sdx_together", (), ())
        records.meet()
        records.alone = False

    @contextmanager
    def guarded(self, obligations: Sequence[Obligation]) -> Iterator[None]:
        """Sizes inside the block may contradict each other; a run that comes here is then refused."""
        records, evaluator = self.records, self.records.evaluator
        work, scratch = records.work, records.scratch
        records.work = records.scratch = 0
        with evaluator.guarded() as guard:
            for o in obligations:
                evaluator.check(o.dim, o.exact)
            record = records.add("sdx_require", (), (0,))
            storage, _, scale, constant = records.words[-1]
            records.words[-1] = storage, guard.state, scale, constant
            records.refusals.append((record, tuple(o.message for o in obligations)))
            records.meet()
            yield
            records.work = work + evaluator.hoisted(records.work)
            records.scratch = dims.maximum(scratch, evaluator.hoisted(records.scratch))

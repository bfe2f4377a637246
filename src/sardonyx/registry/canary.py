"""Canaries: whether a deployment may have more traffic, must give it back, or waits.

`verdict` decides, from counts alone; `Canaries` carries it out. Any gateway may do so: it looks again in the
transaction that acts. Must not know how requests are counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import msgspec
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sardonyx.database import Database, now
from sardonyx.database.traffic import CanaryRow
from sardonyx.ort.logger import ERROR, log
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import CanaryPlan
from sardonyx.registry import audit
from sardonyx.registry.endpoints import spread, step_back, with_share
from sardonyx.registry.observed import Counts, Observed
from sardonyx.registry.sharing import current_traffic

ACTOR = "canary"
_LEAST_ERRORS = 3
_UNLIKELY = 1e-3
"""How seldom chance alone may send a canary back, each time that it is looked at."""


class Move(Enum):
    """What a canary does next."""

    WAIT = "wait"
    STEP = "step"
    BACK = "back"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A move and why."""

    move: Move
    reason: str = ""


def verdict(plan: CanaryPlan, step: int, held_s: float, canary: Counts, others: Counts) -> Verdict:
    """What to do after a step was held for `held_s` seconds.

    `canary` was counted since the step began, `others` since the canary did. It goes back as soon as it has
    answered enough to be judged, or failed more often than enough answers could make good. While its latency
    is too high, or it refuses more than the others, but may do so by chance, it waits for more answers.
    """
    enough = canary.requests >= plan.min_requests
    hopeless = canary.errors >= max(_LEAST_ERRORS, plan.max_error_rate * plan.min_requests + 1)
    if (enough or hopeless) and canary.error_rate > plan.max_error_rate:
        return Verdict(
            Move.BACK,
            f"{canary.errors} of {canary.requests} requests failed, "
            f"{_percent(canary.error_rate)}; {_percent(plan.max_error_rate)} are allowed",
        )
    is_doubtful = False
    if min(canary.asked, others.asked) >= plan.min_requests:
        is_doubtful = canary.refusal_rate - others.refusal_rate > plan.max_error_rate
        if is_doubtful and not _alike(canary, others):
            return Verdict(
                Move.BACK,
                f"it refused {canary.refused} of {canary.asked} requests, {_percent(canary.refusal_rate)}; "
                f"the others {_percent(others.refusal_rate)}",
            )
    if enough and others.requests >= plan.min_requests:
        mine, theirs = canary.quantile(plan.quantile), others.quantile(plan.quantile)
        allowed = plan.max_latency_ratio * theirs
        if mine > allowed and not _chance(canary.slower(allowed), canary.requests, 1 - plan.quantile):
            return Verdict(
                Move.BACK,
                f"the {_percent(plan.quantile)} quantile of its latency is {mine * 1e3:.3g} ms, "
                f"{mine / theirs:.2f} times that of the others; {plan.max_latency_ratio:g} are allowed",
            )
        is_doubtful |= mine > allowed
    if is_doubtful or not enough or held_s < plan.interval_s:
        return Verdict(Move.WAIT)
    if step + 1 < len(plan.steps):
        return Verdict(Move.STEP)
    return Verdict(Move.DONE, f"{plan.deployment} held {plan.steps[-1]:g} %")


def _chance(hits: int, requests: int, share: float) -> bool:
    """Whether so many of the requests may be slow by chance where `share` of all are: Chernoff's bound."""
    return hits <= requests * share or _surprise(hits, requests, share) < -math.log(_UNLIKELY)


def _alike(first: Counts, second: Counts) -> bool:
    """Whether both may refuse the same share of requests, and differ by chance: their likelihood's ratio."""
    share = (first.refused + second.refused) / (first.asked + second.asked)
    surprise = sum(_surprise(counts.refused, counts.asked, share) for counts in (first, second))
    return surprise < -math.log(_UNLIKELY)


def _surprise(hits: int, requests: int, share: float) -> float:
    """By how much likelier so many hits are, as a logarithm, if their share is what was seen, not `share`."""
    expected = ((hits, requests * share), (requests - hits, requests * (1 - share)))
    return sum(seen * math.log(seen / mean) for seen, mean in expected if seen)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


class Canaries:
    """The canaries of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._observed = Observed(database)

    def advance(self) -> bool:
        """Look at every running canary and do what its verdict says; whether anything moved.

        One that cannot go on says why, and holds up no other. Raises ServeError UNAVAILABLE if the database
        is gone.
        """
        with self._database.read() as session:
            running = [row.id for row in _running(session)]
        moved = [self._go_on(number) for number in running]
        return any(moved)

    def _go_on(self, number: int) -> bool:
        try:
            with self._database.read() as session:
                row = session.get(CanaryRow, number)
                if row is None or self._judge(session, row).move is Move.WAIT:
                    return False
            with self._database.write() as session:
                row = session.get(CanaryRow, number)
                if row is not None and row.state == "running":
                    self._act(session, row)
            return True
        except Exception as error:
            if isinstance(error, ServeError) and error.code is Code.UNAVAILABLE:
                raise
            self._stuck(number, error)
            return False

    def _stuck(self, number: int, error: Exception) -> None:
        """Say once why a canary stays where it is; the next look may find it mended."""
        reason = f"it cannot go on: {error}"
        with self._database.read() as session:
            row = session.get(CanaryRow, number)
            if row is None or row.reason == reason:
                return
            log(ERROR, f"the canary of {row.endpoint.name}/{row.deployment}: {reason}")
        with self._database.write() as session:
            session.execute(update(CanaryRow).where(CanaryRow.id == number).values(reason=reason))

    def _judge(self, session: Session, row: CanaryRow) -> Verdict:
        plan = msgspec.convert(row.plan, CanaryPlan)
        endpoint = row.endpoint.name
        of_step = self._observed.since(session, endpoint, row.step_at)
        canary = of_step.get(row.deployment, Counts())
        others = Counts()
        for name, counts in self._observed.since(session, endpoint, row.created_at).items():
            if name != row.deployment:
                others.merge(counts)
        return verdict(plan, row.step, (now() - row.step_at).total_seconds(), canary, others)

    def _act(self, session: Session, row: CanaryRow) -> None:
        plan, endpoint = msgspec.convert(row.plan, CanaryPlan), row.endpoint
        found = self._judge(session, row)
        subject = f"{endpoint.name}/{row.deployment}"
        if found.move is Move.STEP:
            row.step, row.step_at, row.reason = row.step + 1, now(), ""
            self._share(session, row, plan)
        elif found.move is Move.BACK:
            row.state, row.reason = "stepped_back", found.reason
            try:
                step_back(session, endpoint, ACTOR, found.reason, to=row.before)
            except ServeError as error:
                row.reason = f"{found.reason}; traffic stays: {error.message}"
            audit.record(session, ACTOR, "canary.step_back", subject, {"reason": row.reason})
        elif found.move is Move.DONE:
            row.state, row.reason = "done", found.reason
            audit.record(session, ACTOR, "canary.done", subject, {"reason": found.reason})

    def _share(self, session: Session, row: CanaryRow, plan: CanaryPlan) -> None:
        """The next spread; a rollback of it leads to before the canary."""
        now = current_traffic(row.endpoint)
        assert now is not None
        weights = with_share(now.weights, plan.deployment, plan.steps[row.step])
        reason = f"canary step {row.step + 1} of {len(plan.steps)}"
        spread(session, row.endpoint, weights, now.shadows, ACTOR, reason, parent=row.before)


def _running(session: Session) -> list[CanaryRow]:
    return list(session.scalars(select(CanaryRow).where(CanaryRow.state == "running")))

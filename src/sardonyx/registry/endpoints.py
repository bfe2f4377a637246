"""Endpoints: deployments under one name, how traffic is spread over them, and back to how it was.

Every spread is kept and has a parent, so a rollback is a step to the parent. Must not know how a request is
routed, nor how a canary decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from sardonyx.database import Database
from sardonyx.database.traffic import CanaryRow, DeploymentRow, EndpointRow, TrafficRow
from sardonyx.protocol.errors import Code, ServeError, invalid, not_found
from sardonyx.protocol.records import (
    Canary,
    CanaryPlan,
    Deployment,
    Endpoint,
    NewDeployment,
    NewEndpoint,
    Promotion,
    Spread,
    Traffic,
)
from sardonyx.registry import audit
from sardonyx.registry.names import checked_name
from sardonyx.registry.references import find_model, resolve
from sardonyx.registry.sharing import current_traffic, refuse_misfits

COLOURS = ("blue", "green", "yellow", "violet", "orange", "grey")
_WHOLE = 100.0


class Endpoints:
    """The endpoints of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self, pattern: str = "*") -> list[Endpoint]:
        """Endpoints by name whose names match the shell pattern."""
        with self._database.read() as session:
            rows = session.scalars(select(EndpointRow).order_by(EndpointRow.name))
            return [endpoint_record(session, row) for row in rows if fnmatchcase(row.name, pattern)]

    def endpoint(self, name: str) -> Endpoint:
        """One endpoint. Raises ServeError NOT_FOUND."""
        with self._database.read() as session:
            return endpoint_record(session, find_endpoint(session, name))

    def create(self, new: NewEndpoint, actor: str) -> Endpoint:
        """An endpoint without deployments. Raises ServeError CONFLICT if the name is taken."""
        with self._database.write() as session:
            if session.scalar(select(EndpointRow).where(EndpointRow.name == new.name)):
                raise ServeError(Code.CONFLICT, f"there is an endpoint {new.name!r} already")
            return endpoint_record(session, _add_endpoint(session, new, actor))

    def delete(self, name: str, actor: str) -> None:
        """Remove an endpoint and its deployments; the models stay."""
        with self._database.write() as session:
            row = find_endpoint(session, name)
            session.delete(row)
            audit.record(session, actor, "endpoint.delete", name, {"deployments": len(row.deployments)})

    def deploy(self, endpoint: str, new: NewDeployment, actor: str) -> Endpoint:
        """Put a model version under an endpoint, which is made if it is new.

        Raises ServeError NOT_FOUND for an unknown model or version, CONFLICT if the name is taken.
        """
        with self._database.write() as session:
            row = session.scalar(select(EndpointRow).where(EndpointRow.name == endpoint))
            if row is None:
                row = _add_endpoint(session, NewEndpoint(name=endpoint), actor)
            model = find_model(session, new.model)
            version = resolve(model, new.version)
            reference = new.version if new.version.startswith("@") else str(version.number)
            taken = {deployment.name for deployment in row.deployments}
            name = new.name or _free_name(taken)
            if checked_name(name, "a deployment", 64) in taken:
                raise ServeError(
                    Code.CONFLICT, f"{endpoint} has a deployment {name!r} already; deployments do not change"
                )
            row.deployments.append(
                DeploymentRow(
                    name=name,
                    model=new.model,
                    version=reference,
                    first_traffic=_next_number(row),
                    created_by=actor,
                )
            )
            detail = {"model": new.model, "version": reference}
            audit.record(session, actor, "deployment.create", f"{endpoint}/{name}", detail)
            _introduce(session, row, name, new, actor)
            session.flush()
            return endpoint_record(session, row)

    def undeploy(self, endpoint: str, name: str, actor: str) -> Endpoint:
        """Remove a deployment. Raises ServeError CONFLICT while it has traffic."""
        with self._database.write() as session:
            row = find_endpoint(session, endpoint)
            found = _find_deployment(row, name)
            now = current_traffic(row)
            if now is not None and now.weights.get(name):
                raise ServeError(
                    Code.CONFLICT,
                    f"{name!r} has {now.weights[name]:g} % of the traffic of {endpoint}; move it away first",
                )
            if now is not None and name in now.shadows:
                shadows = {other: share for other, share in now.shadows.items() if other != name}
                _hold(session, row, now.weights, shadows, actor, f"{name} is removed", now.parent)
            row.deployments.remove(found)
            audit.record(session, actor, "deployment.delete", f"{endpoint}/{name}")
            session.flush()
            return endpoint_record(session, row)

    def spread(self, endpoint: str, wanted: Spread, actor: str) -> Endpoint:
        """Spread traffic anew; what is not given stays. Ends a running canary."""
        with self._database.write() as session:
            row = find_endpoint(session, endpoint)
            now = current_traffic(row)
            weights = wanted.weights if wanted.weights is not None else dict(now.weights) if now else {}
            shadows = wanted.shadows if wanted.shadows is not None else dict(now.shadows) if now else {}
            _cancel(row, "traffic was set by hand")
            spread(session, row, weights, shadows, actor, wanted.reason)
            return endpoint_record(session, row)

    def promote(self, endpoint: str, promotion: Promotion, actor: str) -> Endpoint:
        """Give all traffic to one deployment, in one step. Ends a running canary."""
        with self._database.write() as session:
            row = find_endpoint(session, endpoint)
            name = promotion.deployment or _other(row)
            _find_deployment(row, name)
            now = current_traffic(row)
            shadows = {other: share for other, share in (now.shadows if now else {}).items() if other != name}
            _cancel(row, f"{name} was promoted by hand")
            spread(session, row, {name: _WHOLE}, shadows, actor, promotion.reason or f"{name} is promoted")
            return endpoint_record(session, row)

    def roll_back(self, endpoint: str, reason: str, actor: str) -> Endpoint:
        """Spread traffic as before the last change. Raises ServeError CONFLICT if there was none."""
        with self._database.write() as session:
            row = find_endpoint(session, endpoint)
            _cancel(row, "rolled back by hand")
            step_back(session, row, actor, reason)
            return endpoint_record(session, row)

    def history(self, endpoint: str) -> list[Traffic]:
        """Every spread of traffic, the newest first."""
        with self._database.read() as session:
            row = find_endpoint(session, endpoint)
            return [traffic_record(row, traffic) for traffic in reversed(row.traffic)]

    def start_canary(self, endpoint: str, plan: CanaryPlan, actor: str) -> Endpoint:
        """Move traffic to a deployment step by step, beginning with the first step now."""
        _check_plan(plan)
        with self._database.write() as session:
            row = find_endpoint(session, endpoint)
            _find_deployment(row, plan.deployment)
            now = current_traffic(row)
            if now is None or set(now.weights) <= {plan.deployment}:
                raise ServeError(Code.CONFLICT, f"{plan.deployment!r} has all traffic of {endpoint} already")
            if running_canary(row) is not None:
                raise ServeError(Code.CONFLICT, f"a canary of {endpoint} is running; cancel it first")
            row.canaries.append(
                CanaryRow(
                    deployment=plan.deployment,
                    plan=msgspec.to_builtins(plan),
                    state="running",
                    before=row.current,
                    created_by=actor,
                )
            )
            audit.record(
                session, actor, "canary.start", f"{endpoint}/{plan.deployment}", msgspec.to_builtins(plan)
            )
            weights = with_share(now.weights, plan.deployment, plan.steps[0])
            shadows = {name: share for name, share in now.shadows.items() if name != plan.deployment}
            spread(session, row, weights, shadows, actor, f"canary step 1 of {len(plan.steps)}")
            session.flush()
            return endpoint_record(session, row)

    def cancel_canary(self, endpoint: str, actor: str) -> Endpoint:
        """Stop a canary where it is; traffic stays as it is."""
        with self._database.write() as session:
            row = find_endpoint(session, endpoint)
            if not _cancel(row, "cancelled by hand"):
                raise ServeError(Code.CONFLICT, f"no canary of {endpoint} is running")
            audit.record(session, actor, "canary.cancel", endpoint)
            return endpoint_record(session, row)


def spread(
    session: Session,
    row: EndpointRow,
    weights: Mapping[str, float],
    shadows: Mapping[str, float],
    actor: str,
    reason: str = "",
    parent: int | None = None,
) -> None:
    """Let a new spread of traffic hold; once rolled back, the current one or `parent` holds again.

    Raises ServeError INVALID_ARGUMENT if it is not a spread, CONFLICT if no request suits two deployments
    that share traffic anew.
    """
    names = {deployment.name for deployment in row.deployments}
    weights = {name: float(weight) for name, weight in weights.items() if weight}
    shadows = {name: float(share) for name, share in shadows.items() if share}
    for name, share in (*weights.items(), *shadows.items()):
        if name not in names:
            raise invalid(f"{row.name} has no deployment {name!r}; it has {', '.join(sorted(names))}")
        if not 0 <= share <= _WHOLE:
            raise invalid(f"{name!r} cannot have {share:g} % of the traffic")
    if abs(sum(weights.values()) - _WHOLE) > 0.01:
        raise invalid(f"the weights are {sum(weights.values()):g} % together, not 100")
    refuse_misfits(session, row, weights)
    _hold(session, row, weights, shadows, actor, reason, row.current if parent is None else parent)


def _hold(
    session: Session,
    row: EndpointRow,
    weights: Mapping[str, float],
    shadows: Mapping[str, float],
    actor: str,
    reason: str,
    parent: int,
) -> None:
    """Let a spread hold that is known to be one."""
    row.current = number = _next_number(row)
    row.traffic.append(
        TrafficRow(
            number=number,
            parent=parent,
            weights=weights,
            shadows=shadows,
            reason=reason,
            created_by=actor,
        )
    )
    detail = {"weights": weights, "shadows": shadows, "reason": reason}
    audit.record(session, actor, "traffic.set", row.name, detail)
    session.flush()


def _next_number(row: EndpointRow) -> int:
    return max((traffic.number for traffic in row.traffic), default=0) + 1


def step_back(session: Session, row: EndpointRow, actor: str, reason: str, to: int | None = None) -> None:
    """Let the spread before the current one hold again, or the one numbered `to`.

    Raises ServeError CONFLICT if there is none, a deployment that had traffic then is gone, or no request
    suits two of them by now.
    """
    now = current_traffic(row)
    number = now.parent if to is None and now is not None else to or 0
    before = next((traffic for traffic in row.traffic if traffic.number == number), None)
    if before is None:
        raise ServeError(Code.CONFLICT, f"{row.name} has no earlier traffic to go back to")
    remaining = {made.name for made in row.deployments if made.first_traffic <= before.number}
    for name in before.weights.keys() - remaining:
        is_taken = any(made.name == name for made in row.deployments)
        heir = "; another has its name now" if is_taken else ""
        raise ServeError(Code.CONFLICT, f"the deployment {name!r}, which had traffic then, was removed{heir}")
    refuse_misfits(session, row, before.weights)
    shadows = {name: share for name, share in before.shadows.items() if name in remaining}
    detail = {"weights": before.weights, "shadows": shadows, "reason": reason}
    audit.record(session, actor, "traffic.rollback", row.name, detail)
    if shadows == before.shadows:
        row.current = before.number
    else:
        _hold(session, row, before.weights, shadows, actor, reason, before.parent)


def with_share(weights: Mapping[str, float], name: str, share: float) -> dict[str, float]:
    """Weights in which `name` has `share` percent, and the others the rest in their proportion."""
    others = {other: weight for other, weight in weights.items() if other != name and weight}
    whole = sum(others.values())
    spread = {other: (_WHOLE - share) * weight / whole for other, weight in others.items()}
    return {**spread, name: share}


def find_endpoint(session: Session, name: str) -> EndpointRow:
    """The row of an endpoint. Raises ServeError NOT_FOUND."""
    row = session.scalar(select(EndpointRow).where(EndpointRow.name == name))
    if row is None:
        raise not_found(f"there is no endpoint {name!r}; `sardonyx endpoint` lists them")
    return row


def running_canary(row: EndpointRow) -> CanaryRow | None:
    """The canary that is under way."""
    return next((canary for canary in row.canaries if canary.state == "running"), None)


def endpoint_record(session: Session, row: EndpointRow) -> Endpoint:
    """The record of a row."""
    now = current_traffic(row)
    weights, shadows = (now.weights, now.shadows) if now else ({}, {})
    return Endpoint(
        name=row.name,
        description=row.description,
        sticky_header=row.sticky_header,
        deployments=[
            Deployment(
                name=deployment.name,
                model=deployment.model,
                reference=deployment.version,
                version=str(resolve(find_model(session, deployment.model), deployment.version).number),
                weight=weights.get(deployment.name, 0),
                shadow=shadows.get(deployment.name, 0),
                created_at=deployment.created_at,
                created_by=deployment.created_by,
            )
            for deployment in row.deployments
        ],
        traffic=traffic_record(row, now) if now else None,
        canary=_canary_record(row.canaries[-1]) if row.canaries else None,
        created_at=row.created_at,
        created_by=row.created_by,
    )


def traffic_record(row: EndpointRow, traffic: TrafficRow) -> Traffic:
    """The record of a row."""
    return Traffic(
        number=traffic.number,
        parent=traffic.parent,
        weights=traffic.weights,
        shadows=traffic.shadows,
        reason=traffic.reason,
        current=traffic.number == row.current,
        created_at=traffic.created_at,
        created_by=traffic.created_by,
    )


def _canary_record(row: CanaryRow) -> Canary:
    return msgspec.convert(
        {
            "deployment": row.deployment,
            "plan": row.plan,
            "state": row.state,
            "step": row.step,
            "step_at": row.step_at,
            "reason": row.reason,
            "created_at": row.created_at,
            "created_by": row.created_by,
        },
        Canary,
    )


def _add_endpoint(session: Session, new: NewEndpoint, actor: str) -> EndpointRow:
    row = EndpointRow(
        name=checked_name(new.name, "an endpoint"),
        description=new.description,
        sticky_header=new.sticky_header.lower(),
        current=0,
        created_by=actor,
    )
    session.add(row)
    audit.record(session, actor, "endpoint.create", new.name)
    return row


def _introduce(session: Session, row: EndpointRow, name: str, new: NewDeployment, actor: str) -> None:
    """Traffic for a deployment that was just added."""
    now = current_traffic(row)
    if now is None:
        spread(session, row, {name: _WHOLE}, {}, actor, f"{name} is the first deployment")
    elif new.weight or new.shadow:
        weights = with_share(now.weights, name, new.weight) if new.weight else now.weights
        spread(session, row, weights, {**now.shadows, name: new.shadow}, actor, f"{name} is deployed")


def _find_deployment(row: EndpointRow, name: str) -> DeploymentRow:
    found = next((deployment for deployment in row.deployments if deployment.name == name), None)
    if found is None:
        known = ", ".join(deployment.name for deployment in row.deployments) or "none"
        raise not_found(f"{row.name} has no deployment {name!r}; it has {known}")
    return found


def _free_name(taken: set[str]) -> str:
    numbered = (f"{COLOURS[0]}{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (*COLOURS, *numbered) if name not in taken)


def _other(row: EndpointRow) -> str:
    now = current_traffic(row)
    whole = {name for name, weight in (now.weights if now else {}).items() if weight >= _WHOLE}
    others = [deployment.name for deployment in row.deployments if deployment.name not in whole]
    if len(others) != 1:
        known = f"name one of {', '.join(others)}" if others else "it has no other than the one that has it"
        raise invalid(f"which deployment shall have all traffic of {row.name}? {known}")
    return others[0]


def _cancel(row: EndpointRow, reason: str) -> bool:
    canary = running_canary(row)
    if canary is None:
        return False
    canary.state, canary.reason = "cancelled", reason
    return True


def _check_plan(plan: CanaryPlan) -> None:
    steps = plan.steps
    if not steps or any(not 0 < step <= _WHOLE for step in steps) or list(steps) != sorted(set(steps)):
        raise invalid("the steps of a canary are percentages that rise, above 0 and up to 100")
    if plan.interval_s <= 0 or plan.min_requests < 1:
        raise invalid("a canary needs an interval above 0 s and at least one request per step")
    if not 0 <= plan.max_error_rate <= 1 or plan.max_latency_ratio <= 0 or not 0 < plan.quantile < 1:
        raise invalid("max_error_rate is within 0..1, max_latency_ratio above 0, quantile between 0 and 1")

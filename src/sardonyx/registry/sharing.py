"""Which deployments may share the traffic of an endpoint: those that take the same requests.

Clients do not choose which deployment answers them: one that refuses what the others take fails. Asked when
traffic is spread and when an alias moves. Must not know why it changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from sardonyx.database.registry import ModelRow
from sardonyx.database.traffic import DeploymentRow, EndpointRow, TrafficRow
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import Signature
from sardonyx.registry.fits import misfit
from sardonyx.registry.references import find_model, resolve


def current_traffic(row: EndpointRow) -> TrafficRow | None:
    """The spread that holds."""
    return next((traffic for traffic in row.traffic if traffic.number == row.current), None)


def refuse_misfits(session: Session, row: EndpointRow, weights: Collection[str]) -> None:
    """Raise ServeError CONFLICT if no request suits two of these deployments.

    Those that share traffic already, from before they had to fit, may go on.
    """
    now = current_traffic(row)
    sharing = now.weights.keys() if now else frozenset[str]()
    _refuse(
        session, row, (pair for pair in combinations(_of(row, weights), 2) if not _names(pair) <= sharing)
    )


def refuse_moved(session: Session, model: ModelRow, alias: str) -> None:
    """Raise ServeError CONFLICT if an alias, as it points now, mixes what no request suits.

    Of deployments that share traffic, those that follow the alias are compared with all others.
    """
    following = select(DeploymentRow).where(
        DeploymentRow.model == model.name, DeploymentRow.version == f"@{alias}"
    )
    moved = list(session.scalars(following))
    for row in {deployment.endpoint_id: deployment.endpoint for deployment in moved}.values():
        now = current_traffic(row)
        pairs = combinations(_of(row, now.weights if now else ()), 2)
        _refuse(session, row, (pair for pair in pairs if any(one in moved for one in pair)))


def _refuse(session: Session, row: EndpointRow, pairs: Iterable[tuple[DeploymentRow, DeploymentRow]]) -> None:
    for first, second in pairs:
        if why := misfit(_signature(session, first), _signature(session, second)):
            raise ServeError(
                Code.CONFLICT,
                f"{first.name!r} and {second.name!r} cannot share the traffic of {row.name}: "
                f"{second.name!r} {why}; give one of them all traffic, or make another endpoint",
            )


def _of(row: EndpointRow, names: Collection[str]) -> list[DeploymentRow]:
    return [deployment for deployment in row.deployments if deployment.name in names]


def _names(deployments: Iterable[DeploymentRow]) -> set[str]:
    return {deployment.name for deployment in deployments}


def _signature(session: Session, deployment: DeploymentRow) -> Signature:
    version = resolve(find_model(session, deployment.model), deployment.version)
    return msgspec.convert(version.signature, Signature)

"""Answers of shadows beside those that were served: how far they were apart, kept where they differed.

Must not know how a shadow is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete, select

from sardonyx.database import Database
from sardonyx.database.traffic import DifferenceRow
from sardonyx.protocol.messages import InferResponse, Tensor
from sardonyx.protocol.records import Difference

KEPT = 1000
"""So many differences are kept per endpoint."""

RELATIVE, ABSOLUTE = 1e-3, 1e-5


class Differences:
    """The differences of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, endpoint: str, limit: int = 100) -> list[Difference]:
        """The newest first."""
        query = (
            select(DifferenceRow)
            .where(DifferenceRow.endpoint == endpoint)
            .order_by(DifferenceRow.id.desc())
            .limit(limit)
        )
        with self._database.read() as session:
            return [
                Difference(
                    deployment=row.deployment,
                    shadow=row.shadow,
                    request=row.request,
                    at=row.at,
                    detail=row.detail,
                )
                for row in session.scalars(query)
            ]

    def add(self, endpoint: str, found: Sequence[Difference]) -> None:
        """Keep these, and of all the newest thousand."""
        with self._database.write(silent=True) as session:
            session.add_all(
                DifferenceRow(
                    endpoint=endpoint,
                    deployment=one.deployment,
                    shadow=one.shadow,
                    request=one.request[:128],
                    at=one.at,
                    detail=one.detail,
                )
                for one in found
            )
            session.flush()
            oldest = session.scalar(
                select(DifferenceRow.id)
                .where(DifferenceRow.endpoint == endpoint)
                .order_by(DifferenceRow.id.desc())
                .offset(KEPT)
                .limit(1)
            )
            if oldest is not None:
                session.execute(
                    delete(DifferenceRow).where(
                        DifferenceRow.endpoint == endpoint, DifferenceRow.id <= oldest
                    )
                )


def difference(served: InferResponse, shadow: InferResponse) -> dict[str, Any]:
    """What of the shadow's outputs is not what was served; nothing if they agree.

    Floats agree within a thousandth, all else, such as labels and tokens, if it is equal; each entry says by
    how much, how many and the first that does not.
    """
    expected = {tensor.name: tensor for tensor in served.outputs}
    found: dict[str, Any] = {}
    for tensor in shadow.outputs:
        other = expected.pop(tensor.name, None)
        difference = {"missing_in": "served"} if other is None else _difference(other, tensor)
        if difference:
            found[tensor.name] = difference
    found.update({name: {"missing_in": "shadow"} for name in expected})
    return found


def _difference(served: Tensor, shadow: Tensor) -> dict[str, Any]:
    if served.datatype != shadow.datatype or tuple(served.shape) != tuple(shadow.shape):
        return {
            "served": f"{served.datatype}{list(served.shape)}",
            "shadow": f"{shadow.datatype}{list(shadow.shape)}",
        }
    a, b = np.asarray(served.data), np.asarray(shadow.data)
    unequal = a != b
    if not np.any(unequal):
        return {}
    if a.dtype.kind in "fV":
        a, b = a.astype(np.float64), b.astype(np.float64)
        unequal = _apart(a, b)
    count = int(np.count_nonzero(unequal))
    if not count:
        return {}
    at = tuple(int(axis[0]) for axis in np.nonzero(np.atleast_1d(unequal)))
    detail: dict[str, Any] = {"elements": count, "of": int(a.size), "at": list(at)}
    if a.dtype.kind in "fiu":
        with np.errstate(invalid="ignore"):
            far = np.abs(a.astype(np.float64) - b.astype(np.float64))
        detail["largest"] = float(np.nanmax(far, initial=0.0))
    detail["served"] = _plain(np.atleast_1d(a)[at])
    detail["shadow"] = _plain(np.atleast_1d(b)[at])
    return detail


def _apart(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Where floats do not agree."""
    with np.errstate(invalid="ignore"):
        near = np.abs(b - a) <= ABSOLUTE + RELATIVE * np.abs(a)
    if near.all() and np.isfinite(a).all():
        return ~near
    return ~np.isclose(b, a, RELATIVE, ABSOLUTE, equal_nan=True)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")[:100]
    value = value.item() if isinstance(value, np.generic) else value
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value

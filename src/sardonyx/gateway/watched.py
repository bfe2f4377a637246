"""Which columns of a model a monitor can look at: those of its signature, and those that were kept.

Decides what is refused before a monitor is kept. Must not know HTTP, nor how a signal is computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sardonyx.gateway.operations import Administration
from sardonyx.monitor.watch import PREFIXES, Watch
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.monitors import Monitor, NewMonitor
from sardonyx.protocol.records import Signature

_NAMED = 12
_PATTERN = re.compile(r"[*?\[@]")


def add_monitor(
    a: Administration | None, watch: Watch, wanted: NewMonitor, by: str, *, replace: bool = False
) -> Monitor:
    """Keep a monitor; INVALID_ARGUMENT for a column that its model has not, as far as the model is known."""
    prefix = PREFIXES.get(wanted.kind, "")
    signatures = [] if a is None else _signatures(a, wanted.model)
    columns = _columns(signatures, watch.columns(wanted.model))
    known = [name for name in columns if name.startswith(prefix)]
    asked = [*wanted.columns, *wanted.kinds, *filter(None, [wanted.prediction])]
    for name in asked if known and wanted.kind != "service" else ():
        if not any(_means(name, column) for column in known):
            raise invalid(
                f"monitor {wanted.name!r}: for {wanted.kind} {wanted.model!r} has no column {name!r}; "
                f"it has {', '.join(known[:_NAMED])}{', ...' if len(known) > _NAMED else ''}"
            )
    return watch.book.add(wanted, by, replace=replace)


def _columns(signatures: Sequence[Signature], kept: Sequence[str]) -> list[str]:
    """What requests hold or will hold; none if nothing is known of them."""
    declared = [
        f"{side}.{tensor.name}"
        for signature in signatures
        for side, tensors in (("in", signature.inputs), ("out", signature.outputs))
        for tensor in tensors
    ]
    return list(dict.fromkeys([*declared, *(name for name in kept if name.startswith(("in.", "out.")))]))


def _signatures(a: Administration, model: str) -> list[Signature]:
    """What a model says of itself, or those that an endpoint of that name leads to."""
    try:
        deployments = a.endpoints.endpoint(model).deployments
        return [a.catalog.version(one.model, one.version).signature for one in deployments]
    except ServeError as error:
        if error.code is not Code.NOT_FOUND:
            raise
    try:
        return [version.signature for version in a.catalog.versions(model)]
    except ServeError as error:
        if error.code is not Code.NOT_FOUND:
            raise
    return []


def _means(name: str, column: str) -> bool:
    """Whether a name or a pattern can mean a column, or an element of it such as in.x[3]."""
    head = _PATTERN.split(name, maxsplit=1)[0]
    return name == column or (head != name and column.startswith(head))

"""What the console shows and acts on, handed over by who puts the server together.

Pure data; a part that is None has no pages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sardonyx.gateway.operations import Administration
from sardonyx.monitor.monitoring import Monitoring
from sardonyx.serve.core import Core
from sardonyx.serve.seams import Guard, OpenGuard


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a server; `changed` is called on a thread after every act that changes traffic or models.

    `hosts` are the names by which browsers may reach the console; empty means any. `studio` is the folder of
    the collections of pictures that are labelled and trained here.
    """

    core: Core
    monitoring: Monitoring
    guard: Guard = field(default_factory=OpenGuard)
    administration: Administration | None = None
    changed: Callable[[], object] = _nothing
    hosts: tuple[str, ...] = ()
    studio: Path | None = None

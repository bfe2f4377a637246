"""What a gateway may be told beside the options of its data plane. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sardonyx.monitor.monitoring import MonitorOptions
from sardonyx.registry.tokens import Provider


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Options of registry and access.

    `database` is a URL, "" the SQLite file in `home`; `artefacts` a folder or an fsspec URL, "" a folder in
    `home`. Models and endpoints of the registry whose names match one of `patterns` are served. Keys are
    asked for once there is one, or from the start with `require_keys`; until then `trusted` says that whoever
    reaches the server may administer it. `allow_sources` are the beginnings of object store URLs that may be
    registered from. After an act, `apply_s` seconds are given to its models to load before it is answered.
    `monitoring` says what is watched; None is the default, which keeps no payloads.
    """

    home: Path
    database: str = ""
    artefacts: str = ""
    patterns: tuple[str, ...] = ("*",)
    require_keys: bool = False
    trusted: bool = False
    provider: Provider | None = None
    allow_sources: tuple[str, ...] = ()
    allow_private_urls: bool = False
    apply_s: float = 60.0
    monitoring: MonitorOptions | None = None

"""What the registry knows of a model, beside what the server does with it: for the model's page.

Decides which facts are shown. Must not know how a version came into the registry.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.records import Lineage, Model, Version
from sardonyx.registry.catalog import Catalog

_ORIGINS = ("source", "framework", "data", "run", "commit", "parent")


@dataclass(frozen=True, slots=True)
class Registered:
    """A model of the registry and its versions, newest first; `trouble` says why there are no facts."""

    model: Model | None = None
    versions: tuple[Version, ...] = ()
    trouble: str = ""


def registered(catalog: Catalog, name: str, digests: Collection[str]) -> Registered | None:
    """What the registry has of that name; None if nothing, or if other content is served under the name.

    `digests` are those of the versions that are loaded.
    """
    try:
        versions = sorted(catalog.versions(name), key=lambda v: int(v.version), reverse=True)
        if digests and not any(version.digest in digests for version in versions):
            return None
        return Registered(catalog.model(name), tuple(versions))
    except ServeError as error:
        return None if error.code.http < 500 else Registered(trouble=error.message)


def origins(lineage: Lineage) -> list[tuple[str, str]]:
    """What is known of where a version comes from, with a word for each."""
    return [(name, text) for name in _ORIGINS if (text := getattr(lineage, name))]


def verdict(version: Version) -> tuple[str, str, str]:
    """What the checks of a version came to: words, tone, and what they said."""
    found = [check for check in version.checks if check.verdict in ("warning", "failed")]
    details = "; ".join(f"{check.name}: {check.detail}" for check in found)
    failed = sum(check.verdict == "failed" for check in found)
    if failed:
        return f"{failed} failed", "bad", details
    if found:
        return f"{len(found)} warning{'s' * (len(found) > 1)}", "warn", details
    return ("Passed", "good", "") if version.checks else ("None", "", "")

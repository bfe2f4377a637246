"""Which names may be given to models, endpoints, deployments, aliases and keys.

A name stands in a URL path and in file names, so it is one plain segment.
"""

from __future__ import annotations

import re

from sardonyx.protocol.errors import invalid

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RESERVED = frozenset({"stats", "ready", "versions", "infer", "config"})


def checked_name(name: str, what: str, limit: int = 128) -> str:
    """`name` if it may be one. Raises ServeError INVALID_ARGUMENT."""
    if not _NAME.fullmatch(name) or len(name) > limit or ".." in name:
        raise invalid(
            f"{name!r} cannot be the name of {what}: use up to {limit} letters, digits, '.', '_' and '-', "
            "the first a letter or digit"
        )
    if name in _RESERVED:
        raise invalid(f"{name!r} is a word of the protocol's paths; choose another name for {what}")
    return name


def checked_alias(name: str) -> str:
    """An alias of a version; not a number, which would look like a version."""
    if name.isdigit():
        raise invalid(f"the alias {name!r} looks like a version; use a word such as champion")
    return checked_name(name.removeprefix("@"), "an alias", 64)

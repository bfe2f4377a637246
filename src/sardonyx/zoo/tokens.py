"""Tokens for hubs and registries from the places where their own tools keep them. Sends nothing."""

from __future__ import annotations

import base64
import json
import netrc
import os
from pathlib import Path


def of_hub() -> dict[str, str]:
    """The header for the model hub: HF_TOKEN, else the file that its login writes."""
    token = os.environ.get("HF_TOKEN", "")
    if not token:
        home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
        file = Path(os.environ.get("HF_TOKEN_PATH") or home / "token")
        token = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    return {"Authorization": f"Bearer {token}"} if token else {}


def of_host(host: str) -> dict[str, str]:
    """The header for a host that ~/.netrc (or NETRC) has a password for."""
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if not file.is_file():
        return {}
    try:
        found = netrc.netrc(str(file)).authenticators(host.partition(":")[0])
    except netrc.NetrcParseError:
        return {}
    return _basic(f"{found[0]}:{found[2]}") if found and found[0] else {}


def of_registry(host: str) -> dict[str, str]:
    """The header for a registry that a container tool is logged in to."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    file = folder / "config.json"
    if not file.is_file():
        return {}
    try:
        entries = json.loads(file.read_text(encoding="utf-8")).get("auths", {})
    except (ValueError, AttributeError):
        return {}
    secret = next((entry.get("auth", "") for name, entry in entries.items() if _host(name) == host), "")
    return {"Authorization": f"Basic {secret}"} if secret else {}


def _host(name: str) -> str:
    return name.partition("://")[2].partition("/")[0] or name.partition("/")[0]


def _basic(pair: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

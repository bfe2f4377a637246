"""`sardonyx cache`: what the cache of compiled models holds, its limit, and how it is emptied."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sardonyx.base.knobs import CACHE, cache_folder
from sardonyx.runtime.cache import Cache
from sardonyx.store import contents
from sardonyx.store.contents import Kept
from sardonyx.tools.console import UserError, bytes_text, print_json, table
from sardonyx.tools.models import add_json_option

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "cache",
        help="show or empty the cache",
        description="Show what the cache keeps of each model. What is removed is compiled again when needed.",
    )
    parser.add_argument(
        "--clear",
        nargs="*",
        metavar="MODEL",
        help="remove all, or models by path, file name or the start of their digest",
    )
    parser.add_argument(
        "--limit", metavar="SIZE", help="the most that the cache may take, such as 500MB or 8GB"
    )
    add_json_option(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Change the cache as asked, then show it."""
    folder = cache_folder()
    if folder is None:
        raise UserError(f"the cache is off ({CACHE.env}); there is nothing to show")
    cache = Cache(folder)
    if options.limit is not None:
        cache.set_limit(parsed(options.limit))
    if options.clear is not None:
        names: list[str] = options.clear
        chosen = [model for name in names for model in named(contents.kept(cache), name)]
        freed = contents.forget(cache, chosen) if names else contents.clear(cache)
        if not options.json:
            print(f"removed {bytes_text(freed)}")
    models, shared = contents.kept(cache), contents.shared_bytes(cache)
    if options.json:
        print_json(document(cache, models, shared))
    else:
        print(text(cache, models, shared))
    return 0


def parsed(size: str) -> int:
    """Bytes of a size such as `500MB`. Raises UserError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", size.lower())
    if match is None:
        raise UserError(f"--limit {size}: give a size such as 500MB or 8GB")
    return int(float(match[1]) * _UNITS[match[2]])


def named(models: Sequence[Kept], name: str) -> list[Kept]:
    """The models of that path, file name or digest. Raises UserError if there is none."""
    path = os.path.abspath(name)  # noqa: PTH100
    found = [m for m in models if path == m.name or name == os.path.basename(m.name)]  # noqa: PTH119
    found = found or [m for m in models if len(name) >= 6 and m.digest.startswith(name)]
    if not found:
        raise UserError(f"the cache has no model {name}; `sardonyx cache` lists what it has")
    return found


def document(cache: Cache, models: Sequence[Kept], shared: int) -> dict[str, Any]:
    """All of it for programs."""
    rows = [
        {
            "model": model.name,
            "digest": model.digest,
            "programs": model.programs,
            "bytes": model.size_bytes,
            "weight_bytes": model.weight_bytes,
            "code_bytes": model.code_bytes,
            "used": model.used,
        }
        for model in models
    ]
    total = sum(model.size_bytes for model in models) + shared
    return {
        "folder": str(cache.root),
        "limit_bytes": cache.limit_bytes,
        "bytes": total,
        "shared_bytes": shared,
        "models": rows,
    }


def _place(name: str) -> str:
    path = Path(name)
    return f"{name} (no longer there)" if path.is_absolute() and not path.exists() else name


def text(cache: Cache, models: Sequence[Kept], shared: int) -> str:
    """All of it for readers."""
    head = [("size", "weights", "code", "programs", "used", "digest", "model")] if models else []
    rows = [
        (
            bytes_text(model.size_bytes),
            bytes_text(model.weight_bytes),
            bytes_text(model.code_bytes),
            str(model.programs),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(model.used)),
            model.digest[:8],
            _place(model.name),
        )
        for model in models
    ]
    total = sum(model.size_bytes for model in models) + shared
    ends = [
        f"{cache.root}: {bytes_text(total)} of at most {bytes_text(cache.limit_bytes)}",
        f"compiled modules that models share: {bytes_text(shared)}",
    ]
    return "\n".join([*([table([*head, *rows], indent=""), ""] if rows else []), *ends])

"""Caches that have the code which all models share, as an installed package brings it along."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from sardonyx.base.knobs import CompileOptions
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.promotion import quick_key
from sardonyx.store.loader import load_program
from tests.unit.runtime.programs import linear


def stocked(folder: Path) -> Path:
    """A new cache that has what models share, compiled once for all tests that have the run's cache."""
    stock, made = _stock(), Cache(folder)
    for module in stock.entries("module"):
        content = stock.get("module", module.key)
        if content is None:  # of a build that wrote entries in another form
            continue
        _link(module.path, made.path("module", module.key))
        full = content.decode()
        for key in (full, quick_key(full)):
            _link(stock.path("object", key), made.path("object", key))
    return folder


@cache
def _stock() -> Cache:
    """The run's cache, once a product was compiled into it; called before a test has one of its own."""
    load_program(linear(), CompileOptions.resolve())
    return Cache(os.environ["SARDONYX_CACHE"])


def _link(source: Path, to: Path) -> None:
    if source.exists() and not to.exists():
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.link(source, to)

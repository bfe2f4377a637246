"""Where a converted model came from: framework, versions, digest of the source, as metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sardonyx
from sardonyx.convert.framework import Exported, Framework
from sardonyx.convert.parity import Parity


def digest(source: str) -> str:
    """sha256 of a file, or of the names and files of a folder; empty if it is neither."""
    path = Path(source)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        return ""
    whole = hashlib.sha256()
    for part in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        whole.update(f"{part.relative_to(path).as_posix()}\0{digest(str(part))}\n".encode())
    return whole.hexdigest()


def metadata(row: Framework, exported: Exported, source: str, parity: Parity | None) -> dict[str, str]:
    """Rows of the file's metadata; lists and mappings are JSON."""
    rows: dict[str, Any] = {
        "converted_from": row.title,
        "converted_by": f"sardonyx {sardonyx.__version__}",
        "versions": dict(exported.versions),
    }
    if source:
        rows["source"] = Path(source).name
        rows["source_sha256"] = digest(source)
    if exported.labels:
        rows["labels"] = list(exported.labels)
    if exported.columns:
        rows["columns"] = list(exported.columns)
    if exported.categories:
        rows["categories"] = dict(exported.categories)
    if parity is not None:
        rows["parity"] = parity.record()
    return {key: _text(value) for key, value in rows.items() if value}


def _text(value: str | Mapping[str, Any] | list[Any]) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)

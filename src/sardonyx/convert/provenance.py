"""Where a converted model came from: framework, versions, digest of the source, as metadata."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sardonyx
from sardonyx.convert.framework import Exported, Framework
from sardonyx.convert.parity import Parity

if TYPE_CHECKING:
    import onnx

NOTES = "notes"


def digest(source: str) -> str:
    """sha256 of a file, or of the names and files of a folder; empty if it is neither."""
    path = Path(source)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        return ""
    return _digest_of_files(path, path.rglob("*"))


def _digest_of_files(folder: Path, files: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for part in sorted(entry for entry in files if entry.is_file()):
        whole.update(f"{part.relative_to(folder).as_posix()}\0{digest(str(part))}\n".encode())
    return whole.hexdigest()


def _digest_of_source(source: str, sources: Sequence[str]) -> str:
    """Of the file or folder that was named, or of several files that lie together."""
    if len(sources) < 2:
        return digest(sources[0] if sources else source)
    files = [Path(file) for file in sources]
    return _digest_of_files(Path(os.path.commonpath([file.parent for file in files])), files)


def metadata(row: Framework, exported: Exported, source: str, parity: Parity | None) -> dict[str, str]:
    """Rows of the file's metadata; lists and mappings are JSON."""
    rows: dict[str, Any] = {
        "converted_from": row.title,
        "converted_by": f"sardonyx {sardonyx.__version__}",
        "versions": dict(exported.versions),
    }
    if source:
        rows["source"] = Path(source).name
        rows["source_sha256"] = _digest_of_source(source, exported.sources)
    if exported.labels:
        rows["labels"] = list(exported.labels)
    if exported.columns:
        rows["columns"] = list(exported.columns)
    if exported.categories:
        rows["categories"] = dict(exported.categories)
    if parity is not None:
        rows["parity"] = parity.record()
    return {key: _text(value) for key, value in rows.items() if value}


def note(model: onnx.ModelProto, notes: Sequence[str]) -> None:
    """Write what the user should know into the metadata, in place of what was noted before."""
    kept = [row for row in model.metadata_props if row.key != NOTES]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    if notes:
        model.metadata_props.add(key=NOTES, value=_text(list(notes)))


def notes_of(rows: Mapping[str, str]) -> list[str]:
    """The notes in the metadata of a file; none if they are not such a list."""
    try:
        notes = json.loads(rows.get(NOTES, "[]"))
    except ValueError:
        return []
    is_ours = isinstance(notes, list) and all(isinstance(text, str) for text in notes)
    return notes if is_ours else []


def readable(key: str, text: str) -> str:
    """A row of the metadata for people: versions and parity as words, others as they are."""
    if key not in READABLE:
        return text
    try:
        return READABLE[key](json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError):  # another program's row of that name
        return text


def _versions(data: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in data.items())


def _parity(data: Mapping[str, Any]) -> str:
    outputs = data["outputs"]
    relative = max(output["relative_error"] for output in outputs)
    differing, count = (sum(output[part] for output in outputs) for part in ("differing", "count"))
    inputs = "drawn inputs" if data["drawn"] else "the sample"
    return f"{differing} of {count} elements differ on {inputs}; largest relative error {relative:.1e}"


READABLE: Mapping[str, Callable[[Any], str]] = {"versions": _versions, "parity": _parity}


def _text(value: str | Mapping[str, Any] | list[Any]) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)

"""The names of classes that come with a model: in its file's metadata, or in a text file beside it.

Must not know what is done with them.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sardonyx.protocol.errors import invalid

_KEYS = ("labels", "names", "classes", "id2label")
_ENTRY = "label_filename"


def labels_in(metadata: Mapping[str, str]) -> list[str]:
    """The class names in the metadata of a model file, by index; [] if there are none."""
    for key in _KEYS:
        if key in metadata:
            return _read(metadata[key])
    return []


def labels_beside(folders: Sequence[Path], outputs: object) -> dict[str, list[str]]:
    """The lines of the label files that a configuration's `output` rows name, by output.

    INVALID_ARGUMENT for a file that is in none of the folders of the model.
    """
    found = {}
    for row in outputs if isinstance(outputs, list) else []:
        name = row.get(_ENTRY)
        if not name:
            continue
        file = next((file for folder in folders if (file := _inside(folder, name))), None)
        if file is None:
            raise invalid(
                f"'{_ENTRY}' of output '{row.get('name')}': there is no file {name} beside the model"
            )
        found[row.get("name", "")] = file.read_text(encoding="utf-8").splitlines()
    return found


def _inside(folder: Path, name: str) -> Path | None:
    file = (folder / name).resolve()
    return file if folder.resolve() in file.parents and file.is_file() else None


def _read(text: str) -> list[str]:
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list | tuple):
            return [str(item) for item in value]
        if isinstance(value, dict):
            return _by_index(value)
    return text.splitlines() if "\n" in text else [part.strip() for part in text.split(",")]


def _by_index(rows: Mapping[object, object]) -> list[str]:
    """{0: "cat"} and {"cat": 0} are both met."""
    try:
        return [str(rows[key]) for key in sorted(rows, key=lambda key: int(str(key)))]
    except ValueError:
        return [str(key) for key in sorted(rows, key=lambda key: str(rows[key]))]

"""Files that belong together: all are written, or none is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from sardonyx.vision.pictures import VisionError


def saved(
    path: str | Path, model: onnx.ModelProto, record: Mapping[str, Any], others: Mapping[Path, str] | None
) -> list[Path]:
    """A trained model with its record beside it, and other texts; VisionError if they cannot be written."""
    target = Path(path)
    return written(
        {
            target: model.SerializeToString(),
            target.with_suffix(".vision.json"): f"{json.dumps(record, indent=1)}\n".encode(),
            **{other: text.encode() for other, text in (others or {}).items()},
        }
    )


def written(contents: Mapping[Path, bytes]) -> list[Path]:
    """Put all files in place after all of them were written whole; VisionError if they do not fit."""
    parts: list[tuple[Path, Path]] = []
    folders: list[tempfile.TemporaryDirectory[str]] = []
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.append(tempfile.TemporaryDirectory(prefix=".vision-", dir=path.parent))
            whole = Path(folders[-1].name) / path.name
            whole.write_bytes(content)
            parts.append((whole, path))
        for whole, path in parts:
            whole.replace(path)
    except OSError as error:
        raise VisionError(f"{path} cannot be written: {error.strerror}; nothing was kept") from error
    finally:
        for folder in folders:
            folder.cleanup()
    return list(contents)

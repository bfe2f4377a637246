"""Models of a folder: a bare file, files side by side, or `name/version/model.onnx` with a config.pbtxt.

Decides names and versions; must not know what is done with a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from sardonyx.protocol.config import Config, read_config
from sardonyx.protocol.errors import ServeError, not_found
from sardonyx.serve.python_model import FILE as PYTHON_FILE
from sardonyx.serve.seams import Offer

SUFFIX = ".onnx"
CONFIG = "config.pbtxt"
_DEFAULT_FILE = f"model{SUFFIX}"
_FIRST = "1"


class FolderSource:
    """The models at a path, which is a model file or a folder of them; looked at anew each time.

    A folder with a config.pbtxt is read as Triton reads it: the newest version alone is served unless its
    `version_policy` says otherwise. Without one, all versions are.
    """

    def __init__(self, path: Path, name: str = "", *, programs: bool = True) -> None:
        """Name a single model `name`; else its file or folder names it. NOT_FOUND if nothing is there.

        Without `programs`, steps in Python are not looked for.
        """
        if not path.exists():
            raise not_found(f"{path}: there is no such file or folder")
        self._path = path
        self._name = name
        self._programs = programs

    def offers(self) -> Sequence[Offer]:
        """All versions of all models, oldest first; those with a malformed config.pbtxt carry that fault."""
        if self._path.is_file():
            return [_offer(self._name or _stem(self._path), _FIRST, self._path, {})]
        alone = _versions(self._path, self._name or self._path.resolve().name, self._programs)
        if alone:
            return alone
        found: list[Offer] = []
        for entry in sorted(self._path.iterdir()):
            if entry.is_file() and entry.suffix == SUFFIX:
                found.append(_offer(entry.stem, _FIRST, entry, {}))
            elif entry.is_dir():
                found += _versions(entry, entry.name, self._programs)
        return found


def _versions(folder: Path, name: str, programs: bool) -> list[Offer]:
    """The versions of one model's folder: `model.onnx` itself, or numbered folders that hold one."""
    config, fault = _config(folder)
    file = config.get("default_model_filename") or _DEFAULT_FILE
    name = config.get("name") or name
    bare = folder / file
    found = [_offer(name, _FIRST, bare, config)] if bare.is_file() else []
    numbered = (entry for entry in folder.iterdir() if entry.is_dir() and entry.name.isdecimal())
    for entry in sorted(numbered, key=lambda entry: int(entry.name)):
        model = _model_file(entry, file, programs)
        if model is not None:
            found.append(_offer(name, entry.name, model, config))
        elif "ensemble_scheduling" in config:
            found.append(_offer(name, entry.name, entry, config))
    if fault:
        return [replace(offer, fault=fault) for offer in found]
    return _chosen(found, config) if config else found


def _config(folder: Path) -> tuple[Config, str]:
    """The configuration of a model's folder, and what is wrong with it."""
    file = folder / CONFIG
    if not file.is_file():
        return {}, ""
    try:
        return read_config(file.read_text(encoding="utf-8"), str(file)), ""
    except (ServeError, UnicodeDecodeError, OSError) as error:
        return {}, error.message if isinstance(error, ServeError) else f"{file}: {error}"


def _model_file(folder: Path, name: str, programs: bool) -> Path | None:
    names = (name, PYTHON_FILE) if programs else (name,)
    named = [folder / name for name in names if (folder / name).is_file()]
    files = named or sorted(folder.glob(f"*{SUFFIX}"))
    return files[0] if files else None


def _chosen(offers: Sequence[Offer], config: Config) -> list[Offer]:
    policy = config.get("version_policy", {})
    if "all" in policy:
        return list(offers)
    if "specific" in policy:
        wanted = {str(version) for version in policy["specific"].get("versions", ())}
        return [offer for offer in offers if offer.version in wanted]
    return list(offers)[-int(policy.get("latest", {}).get("num_versions", 1)) :]


def _stem(path: Path) -> str:
    return path.resolve().parent.name if path.name == _DEFAULT_FILE else path.stem


def _offer(name: str, version: str, path: Path, config: Config) -> Offer:
    """The digest changes with the files' sizes and times, since contents would take long to read."""
    files: Iterable[Path] = (path, path.parent.parent / CONFIG, path.parent / CONFIG)
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.exists()]
    return Offer(name, version, path, hashlib.sha256(repr(states).encode()).hexdigest(), config)

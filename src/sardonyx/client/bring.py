"""Models of other registries as they come over: MLflow's, and Triton's model repositories.

Decides what of them becomes a version here, what is one already and what is left, with the reason. Must not
know how a version is registered.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sardonyx.client.content import content_of
from sardonyx.protocol.config import Config, checked_config, read_config
from sardonyx.protocol.errors import invalid, not_found
from sardonyx.protocol.records import Lineage, Version

MLFLOW, TRITON = "mlflow:", "triton:"
_MODEL_FILE, _CONFIG_FILE = "MLmodel", "config.pbtxt"


@dataclass(frozen=True, slots=True)
class Brought:
    """A version that can be registered, or with `why` the reason that it cannot."""

    name: str
    source: Path | None = None
    origin: str = ""
    aliases: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    lineage: Lineage = field(default_factory=Lineage)
    config: Config = field(default_factory=dict)
    why: str = ""


@contextmanager
def brought(origin: str, name: str = "") -> Iterator[list[Brought]]:
    """Everything that `origin` holds, as local files within this context, the oldest version first.

    `origin` is `mlflow:models:/NAME[/VERSION|@ALIAS]`, `mlflow:FOLDER`, `triton:FOLDER`, or the FOLDER alone.
    Raises ServeError for any other source, ModuleNotFoundError without mlflow.
    """
    with TemporaryDirectory(prefix="sardonyx-import-") as scratch:
        if origin.startswith(f"{MLFLOW}models:/"):
            yield _of_mlflow(origin.removeprefix(MLFLOW), name, Path(scratch))
            return
        folder = Path(origin.removeprefix(MLFLOW).removeprefix(TRITON)).expanduser()
        if not folder.is_dir():
            raise not_found(f"{folder} is not a folder; write {MLFLOW}models:/NAME for MLflow's registry")
        if (folder / _MODEL_FILE).is_file() and not origin.startswith(TRITON):
            yield [_of_mlflow_folder(folder, name or _named(folder), f"{MLFLOW}{folder}")]
            return
        found = list(_of_triton(folder, name, Path(scratch)))
        if not found:
            raise invalid(f"{folder} holds neither {_MODEL_FILE} nor models in Triton's layout")
        yield found


def registered_as(one: Brought, versions: Iterable[Version]) -> Version | None:
    """Which of a model's versions has the same origin, files and configuration; None if none has."""
    if one.source is None:
        return None
    alike = [version for version in versions if version.lineage.source == one.origin]
    config = checked_config(one.config, one.name) if one.config else {}
    files = _hashes(one.source) if alike else {}
    for version in alike:
        if {file.path: file.sha256 for file in version.files} == files and version.config == config:
            return version
    return None


def _hashes(source: Path) -> dict[str, str]:
    found = {}
    for path, file in content_of(source).items():
        with file.open("rb") as stream:
            found[path] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _of_triton(folder: Path, name: str, scratch: Path) -> Iterator[Brought]:
    """The models of a repository, or the one whose folder this is."""
    alone = any(entry.is_dir() and entry.name.isdecimal() for entry in folder.iterdir())
    for model in [folder] if alone else sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        file = model / _CONFIG_FILE
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        config = read_config(text, str(file)) if text else {}
        called = (name if alone else "") or config.get("name") or model.resolve().name
        if "ensemble_scheduling" in config:
            yield Brought(called, why="an ensemble has no file of its own; serve it from its folder")
            continue
        versions = [entry for entry in model.iterdir() if entry.is_dir() and entry.name.isdecimal()]
        for version in sorted(versions, key=lambda entry: int(entry.name)):
            yield _triton_version(called, model, version, config, scratch)


def _triton_version(name: str, model: Path, version: Path, config: Config, scratch: Path) -> Brought:
    origin = f"{TRITON}{model}/{version.name}"
    wanted = config.get("default_model_filename") or "model.onnx"
    files = [file for file in (version / wanted, *sorted(version.glob("*.onnx"))) if file.is_file()]
    if not files:
        kinds = sorted({file.name for file in version.iterdir()}) or ["nothing"]
        backend = config.get("backend") or config.get("platform") or "not an ONNX file"
        return Brought(name, origin=origin, why=f"it is {backend}: {', '.join(kinds)}")
    folder = scratch / f"{len(list(scratch.iterdir()))}"
    shutil.copytree(version, folder)
    if files[0].name != "model.onnx":
        (folder / files[0].name).rename(folder / "model.onnx")
    for output in config.get("output", ()):
        label = output.get("label_filename")
        if label and (model / label).is_file():
            shutil.copy(model / label, folder / Path(label).name)
    kept = {key: value for key, value in config.items() if key not in ("name", "default_model_filename")}
    return Brought(
        name,
        folder,
        origin,
        tags={"triton.version": version.name},
        lineage=Lineage(framework="triton", source=origin),
        config=kept,
    )


def _of_mlflow(uri: str, name: str, scratch: Path) -> list[Brought]:
    """Versions of MLflow's registry by `models:/NAME[/VERSION|@ALIAS]`."""
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    model, _, alias = uri.removeprefix("models:/").partition("@")
    model, _, number = model.partition("/")
    client = MlflowClient()
    try:
        if alias:
            versions = [client.get_model_version_by_alias(model, alias)]
        elif number:
            versions = [client.get_model_version(model, number)]
        else:
            listed = client.search_model_versions(f"name='{model}'")
            versions = [client.get_model_version(model, row.version) for row in listed]
        if not versions:
            raise not_found(f"MLflow has no model {model!r}")
        found = []
        for version in sorted(versions, key=lambda row: int(row.version)):
            target = scratch / str(version.version)
            target.mkdir()
            source = client.get_model_version_download_uri(model, version.version)
            folder = Path(download_artifacts(artifact_uri=source, dst_path=str(target)))
            found.append(_with_registry(folder, name or model, version))
        return found
    except MlflowException as error:
        raise invalid(f"{MLFLOW}{uri}: {error}") from error


def _with_registry(folder: Path, name: str, version: Any) -> Brought:
    base = _of_mlflow_folder(folder, name, f"{MLFLOW}models:/{version.name}/{version.version}")
    lineage = Lineage(framework="mlflow", source=base.origin, run=version.run_id or base.lineage.run)
    return Brought(
        base.name,
        base.source,
        base.origin,
        tuple(version.aliases),
        {
            **{str(key): str(value) for key, value in version.tags.items()},
            "mlflow.version": str(version.version),
        },
        version.description or "",
        lineage,
        why=base.why,
    )


def _named(folder: Path) -> str:
    """What the model in a folder of MLflow is called: version 3 keeps each as ID/artifacts."""
    own = folder.resolve()
    return own.parent.name if own.name == "artifacts" else own.name


def _of_mlflow_folder(folder: Path, name: str, origin: str) -> Brought:
    """The model in a folder that MLflow wrote."""
    import yaml

    try:
        document = yaml.safe_load((folder / _MODEL_FILE).read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError) as error:
        raise invalid(f"{folder / _MODEL_FILE} cannot be read: {error}") from error
    flavors = document.get("flavors", {}) if isinstance(document, dict) else {}
    data = (flavors.get("onnx") or {}).get("data")
    if not isinstance(data, str):
        known = ", ".join(sorted(flavors)) or "nothing"
        return Brought(
            name, origin=origin, why=f"its flavors are {known}; convert it with `sardonyx convert`"
        )
    source = (folder / data).resolve()
    if not source.is_relative_to(folder.resolve()) or not source.exists():
        raise invalid(f"{origin}: {data!r} is not in its folder")
    run = str(document.get("run_id") or "")
    return Brought(name, source, origin, lineage=Lineage(framework="mlflow", source=origin, run=run))

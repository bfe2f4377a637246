"""What belongs to a version: the model file, its external data, and what lies beside it in a folder.

Decides which file is the model. Must not know where a source came from.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from sardonyx.base.folders import file_name
from sardonyx.errors import SardonyxError
from sardonyx.protocol.errors import invalid

MODEL = "model.onnx"
_MOST_FILES = 1000


def content_of(source: Path) -> dict[str, Path]:
    """The files of a version by their paths in it; the model itself is `model.onnx`.

    `source` is a model file or a folder that holds one.
    Raises ServeError INVALID_ARGUMENT if it is neither, or if a file lies outside of its folder.
    """
    if source.is_dir():
        return _of_folder(source)
    if not source.is_file():
        raise invalid(f"{source}: there is no such file or folder")
    found = {MODEL: source}
    for location in _external(source):
        found[location] = _inside(source.parent, location)
    return found


def _of_folder(folder: Path) -> dict[str, Path]:
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    if len(paths) > _MOST_FILES:
        raise invalid(f"{folder} holds {len(paths)} files, a version at most {_MOST_FILES}")
    model = folder / MODEL
    if model not in paths:
        models = [path for path in paths if path.suffix == ".onnx" and path.parent == folder]
        if len(models) != 1:
            raise invalid(f"{folder} holds {len(models)} .onnx files; name one of them {MODEL}")
        model = models[0]
    found = {
        p.relative_to(folder).as_posix(): _inside(folder, p.relative_to(folder).as_posix()) for p in paths
    }
    found[MODEL] = found.pop(model.name)
    for location in _external(model):
        found.setdefault(location, _inside(folder, location))
    return found


def _external(model: Path) -> tuple[str, ...]:
    from sardonyx.frontend.summary import summarize  # ONNX, which a client that asks models has no need of

    try:
        return summarize(model).external_files
    except SardonyxError as error:
        raise invalid(str(error).replace(str(model), model.name, 1)) from error


def _inside(folder: Path, location: str) -> Path:
    try:
        path = (folder / PurePosixPath(file_name(location.replace("\\", "/")))).resolve()
        is_there = path.is_file()
    except (OSError, ValueError) as error:  # no file can be called that
        raise invalid(f"the model needs the file {location!r}, which is not beside it: {error}") from error
    if not path.is_relative_to(folder.resolve()):
        raise invalid(f"the model names the file {location!r}, which lies outside of its folder")
    if not is_there:
        raise invalid(f"the model needs the file {location!r}, which is not beside it")
    return path

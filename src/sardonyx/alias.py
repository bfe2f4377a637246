"""The package under the name `onnxruntime`, so that libraries which import that run on Sardonyx unchanged.

`python -m sardonyx.alias script.py ...` or `-m module ...` runs a program that way. Decides which module
paths are taken over and how they are given back; must not know what they do.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

API_VERSION = "1.32.0"
"""The version of onnxruntime whose Python API this package follows."""

NAME = "onnxruntime"
PATHS = (
    "backend",
    "backend.backend",
    "backend.backend_rep",
    "capi",
    "capi._pybind_state",
    "capi.onnxruntime_inference_collection",
    "capi.onnxruntime_pybind11_state",
    "capi.onnxruntime_validation",
    "datasets",
)
"""The submodules of onnxruntime that exist under the same path in this package."""


class Alias:
    """What `as_onnxruntime` took over; `undo` or the end of a `with` block gives it back."""

    def __init__(self, version: str) -> None:
        self._finder = _Distributions(version)
        self._before = {name: sys.modules.pop(name) for name in [*sys.modules] if _is_alias(name)}
        sys.modules[NAME] = _facade(version)
        for path in PATHS:
            sys.modules[f"{NAME}.{path}"] = importlib.import_module(f"sardonyx.{path}")
        sys.meta_path.insert(0, self._finder)
        self._active = True

    def undo(self) -> None:
        """Restore what the name meant before; modules that were imported meanwhile keep what they hold."""
        if not self._active:
            return
        self._active = False
        for name in [name for name in sys.modules if _is_alias(name)]:
            del sys.modules[name]
        sys.modules.update(self._before)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)

    def __enter__(self) -> ModuleType:
        return sys.modules[NAME]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def as_onnxruntime(version: str = API_VERSION) -> Alias:
    """Let `import onnxruntime`, in this process and from now on, give this package.

    Call it before the libraries that use onnxruntime are imported: names they already hold stay as they
    are. The pure Python tools of an installed onnxruntime (`onnxruntime.quantization`, `.transformers`,
    `.tools`) stay importable and run on this package too.

    Args:
        version: what `onnxruntime.__version__` and the package metadata say.

    Returns:
        A handle whose `undo()` restores the former state; also a context manager that gives the module.
    """
    return Alias(version)


def _is_alias(name: str) -> bool:
    return name == NAME or name.startswith(f"{NAME}.")


def _facade(version: str) -> ModuleType:
    """A module of the name whose attributes are those of this package."""
    import sardonyx

    module = ModuleType(NAME, sardonyx.__doc__)
    installed = importlib.machinery.PathFinder.find_spec(NAME)
    folders = list(installed.submodule_search_locations or ()) if installed is not None else []
    spec = importlib.machinery.ModuleSpec(NAME, None, origin=sardonyx.__file__, is_package=True)
    spec.submodule_search_locations = folders
    module.__spec__, module.__path__, module.__file__ = spec, folders, sardonyx.__file__
    attributes: dict[str, Any] = vars(module)
    attributes["__version__"] = version
    attributes["__all__"] = list(sardonyx.__all__)
    attributes["__getattr__"] = lambda name: getattr(sardonyx, name)
    attributes["__dir__"] = lambda: dir(sardonyx)
    return module


class _Distribution(importlib.metadata.Distribution):
    def __init__(self, version: str) -> None:
        self._text = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n"

    def read_text(self, filename: str) -> str | None:
        """The metadata; there are no other files."""
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        """No file belongs to it."""
        raise FileNotFoundError(path)


class _Distributions(importlib.metadata.DistributionFinder):
    """Answers `importlib.metadata.version("onnxruntime")`."""

    def __init__(self, version: str) -> None:
        self._found = _Distribution(version)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """Finds no module: they are in sys.modules."""

    def find_distributions(self, context: Any = None) -> Iterator[importlib.metadata.Distribution]:
        """The distribution, where its name is asked for."""
        if context is not None and context.name == NAME:
            yield self._found


def main(arguments: Sequence[str]) -> None:
    """Run a script, or a module after `-m`, with its own arguments."""
    import runpy

    if not arguments or arguments == ["-m"]:
        raise SystemExit("usage: python -m sardonyx.alias (script.py | -m module) [argument ...]")
    as_onnxruntime()
    if arguments[0] == "-m":
        sys.argv = list(arguments[1:])
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])

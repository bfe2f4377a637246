"""The name onnxruntime: what stands under it, who answers for its version, and how a program is run."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from importlib.metadata import DistributionFinder, PackageNotFoundError
from pathlib import Path
from types import ModuleType

import pytest

import sardonyx
from sardonyx import alias
from sardonyx.alias import NAME, PATHS, as_onnxruntime


@pytest.fixture(autouse=True)
def given_back() -> Iterator[None]:
    """Nothing of a test stays under the name."""
    modules = {name: m for name, m in sys.modules.items() if name.partition(".")[0] == NAME}
    finders, arguments, places = list(sys.meta_path), list(sys.argv), list(sys.path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]
    sys.modules.update(modules)
    sys.meta_path[:], sys.argv[:], sys.path[:] = finders, arguments, places


def test_every_path_is_the_module_here() -> None:
    with as_onnxruntime() as taken:
        for path in PATHS:
            assert sys.modules[f"{NAME}.{path}"] is sys.modules[f"sardonyx.{path}"]
        assert taken.InferenceSession is sardonyx.InferenceSession
        assert taken.__file__ == sardonyx.__file__
        assert (taken.__name__, taken.__version__) == (NAME, alias.API_VERSION)


def test_what_was_imported_before_comes_back() -> None:
    before = ModuleType(NAME)
    part = ModuleType(f"{NAME}.part")
    other = ModuleType(f"{NAME}_extensions")
    sys.modules.update({NAME: before, f"{NAME}.part": part, f"{NAME}_extensions": other})
    taken = as_onnxruntime()
    try:
        assert f"{NAME}.part" not in sys.modules
        assert sys.modules[f"{NAME}_extensions"] is other
    finally:
        taken.undo()
        del sys.modules[f"{NAME}_extensions"]
    assert sys.modules[NAME] is before
    assert sys.modules[f"{NAME}.part"] is part
    assert f"{NAME}.capi" not in sys.modules or sys.modules[f"{NAME}.capi"] is not sardonyx.capi


def test_a_second_undo_does_nothing() -> None:
    taken = as_onnxruntime()
    taken.undo()
    mine = sys.modules[NAME] = ModuleType(NAME)
    taken.undo()
    assert sys.modules[NAME] is mine


def test_the_version_is_what_it_was_told_and_only_of_this_name() -> None:
    with as_onnxruntime("1.2.3") as taken:
        assert taken.__version__ == importlib.metadata.version(NAME) == "1.2.3"
        finder = sys.meta_path[0]
        assert isinstance(finder, DistributionFinder)
        (found,) = finder.find_distributions(DistributionFinder.Context(name=NAME))
        assert found.metadata["Name"] == NAME
        assert found.read_text("RECORD") is None
        with pytest.raises(FileNotFoundError):
            found.locate_file("anything")
        for name in ("numpy", None):
            assert not [*finder.find_distributions(DistributionFinder.Context(name=name))]
        with pytest.raises(PackageNotFoundError):
            importlib.metadata.version("no-such-package")


@pytest.mark.parametrize("arguments", [[], ["-m"]])
def test_without_a_program_its_usage_is_told(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"^usage: python -m sardonyx\.alias"):
        alias.main(arguments)


@pytest.mark.parametrize("form", ["script", "module"])
def test_a_program_sees_its_arguments_and_its_folder(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "beside_it.py").write_text("", encoding="utf-8")
    program = tmp_path / "a_program.py"
    program.write_text(
        "import sys, onnxruntime, beside_it\nprint(__name__, sys.argv[1:], onnxruntime.get_build_info()[:8])",
        encoding="utf-8",
    )
    sys.path.insert(0, str(tmp_path) if form == "module" else "replaced")
    alias.main([*(["-m", "a_program"] if form == "module" else [str(program)]), "a", "-b"])
    assert capsys.readouterr().out == "__main__ ['a', '-b'] Sardonyx\n"
    sys.modules.pop("beside_it")

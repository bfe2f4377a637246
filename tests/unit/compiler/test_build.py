"""A module is compiled once, however often it is asked for and by whomever; what is not IR is told."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sardonyx import targets
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.report import Report
from sardonyx.compiler.build import Build, object_key, shared_modules
from sardonyx.errors import CompileError
from sardonyx.kernels.library import Shared
from sardonyx.object import shipped
from sardonyx.runtime.cache import Cache
from sardonyx.targets.x86_64 import isa

TARGET = targets.detect()
SHORTCUT = f"shortcut {sys.platform}"


def text(name: str) -> str:
    return f"define void @{name}(ptr %args, ptr %ctx) nounwind {{\n ret void\n}}\n"


def long_text(name: str) -> str:
    """A module that takes a tenth of a second."""
    steps = [
        f"%l{n} = load volatile i64, ptr %args\n store volatile i64 %l{n}, ptr %ctx" for n in range(3000)
    ]
    return text(name).replace(" ret", "\n".join(steps) + "\n ret")


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The executor and the shortcut are compiled too, whether this package has it ready or not."""
    monkeypatch.setattr(shipped, "find", lambda *_: None)
    yield


def build(folder: Path, jobs: int = 1) -> Build:
    return Build(Goal(TARGET), TARGET, Cache(folder), "digest", jobs)


def quick(made: Build) -> set[str]:
    """The modules that are compiled in little time."""
    return {name for name, module in made.modules.items() if module.is_quick}


@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_each_module_is_compiled_once(jobs: int, tmp_path: Path) -> None:
    report = Report()
    with build(tmp_path, jobs) as made:
        for _ in range(2):
            made.add("a", lambda: text("sdx_a"))
        made.add("b", lambda: text("sdx_b"))
        assert made.ir("a") == text("sdx_a")
        name, image = made.image(report)
    assert made.compiled == 4, "two, the executor and the shortcut"
    assert image.address("sdx_a") != image.address("sdx_b")
    with build(tmp_path, jobs) as again:
        again.add("b", lambda: text("sdx_b"))
        again.add("a", lambda: text("sdx_a"))
        same, _ = again.image(Report())
    assert (same, again.compiled) == (name, 0), "the order of modules changes nothing"


def test_another_text_is_another_image(tmp_path: Path) -> None:
    names = set()
    for other in ("sdx_a", "sdx_b"):
        with build(tmp_path) as made:
            made.add("m", lambda other=other: text(other))  # type: ignore[misc]
            names.add(made.image(Report())[0])
    assert len(names) == 2
    assert object_key(text("x"), isa.V4) != object_key(text("x"), isa.V3)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_no_ir_is_told(jobs: int, tmp_path: Path) -> None:
    with build(tmp_path, jobs) as made:
        made.add("bad", lambda: "define void @x( {")
        with pytest.raises(CompileError):
            made.image(Report())


def test_no_thread_outlives_a_build_that_failed(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), build(tmp_path, jobs=3) as made:
        for number in range(8):
            made.add(f"m{number}", lambda number=number: long_text(f"sdx_{number}"))  # type: ignore[misc]
        raise KeyboardInterrupt
    left = set(threading.enumerate()) - others
    assert not [thread.name for thread in left if thread.name.startswith("sardonyx-")]
    assert made.compiled < 9, "what had not begun is left out"


def test_nothing_is_compiled_after_the_end(tmp_path: Path) -> None:
    with build(tmp_path) as made:
        made.add("a", lambda: text("sdx_a"))
    with pytest.raises(AssertionError):
        made.image(Report())
    assert made.compiled == 0


def test_shared_modules_have_the_executor_and_kernels() -> None:
    names = shared_modules(TARGET)
    assert any(name.startswith("executor") for name in names)
    assert SHORTCUT in names
    assert any(name.startswith("contraction f32") for name in names)
    assert {"winograd 2x2of3x3", "strassen"} <= set(names)


def test_shared_code_is_that_of_the_facts_of_the_target(tmp_path: Path) -> None:
    wide = replace(isa.V4, channel_block=32)
    keys = set()
    for target in (isa.V4, wide):
        with Build(Goal(target), target, Cache(tmp_path), "digest", 1) as made:
            name = "contraction f32 0"
            made.add(name, shared_modules(target)[name])
            keys.add(made.modules[name].key)
    assert len(keys) == 2, "another block of channels is another module"


def test_long_texts_are_compiled_quickly_before_short_ones(tmp_path: Path) -> None:
    with build(tmp_path) as made:
        made.add("short", lambda: text("sdx_short"), 0.012)
        made.add("long", lambda: text("sdx_long") + "; much\n" * 99, 0.013)
        made.image(Report())
    assert quick(made) == {"long", SHORTCUT}


def test_what_takes_little_is_compiled_quickly_once_all_parts_are_known(tmp_path: Path) -> None:
    """Many small parts are a large one; better code that is there is taken."""
    report = Report()
    with build(tmp_path) as made:
        for _ in range(3):
            made.add("a", lambda: text("sdx_a"), 0.012)
        for name, share in (("b", 0.012), ("c", 0.006), ("d", 0.01)):
            made.add(name, lambda name=name: text(f"sdx_{name}"), share)  # type: ignore[misc]
        made.add("shared", Shared(lambda _: text("sdx_shared")), 0.001)
        made.image(report)
    assert quick(made) == {"c", "d", SHORTCUT}, "two hundredths of a run at most"
    assert report.counters["quick_kernels"] == 2
    with build(tmp_path) as again:
        again.add("a", lambda: text("sdx_a"), 0.001)
        again.add("c", lambda: text("sdx_c"), 0.5)
        again.image(report)
    assert not again.modules["a"].is_quick
    assert again.compiled == 1, "c, now in full"

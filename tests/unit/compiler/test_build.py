"""A module is compiled once, however often it is asked for and by whomever; what is not IR is told."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

import sardonyx as sx
from sardonyx import targets
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.report import Report
from sardonyx.compiler.build import Build, Code, object_key
from sardonyx.compiler.shared import shared_modules
from sardonyx.errors import CompileError
from sardonyx.kernels.library import Shared
from sardonyx.object import shipped
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.image import load_cached
from sardonyx.runtime.promotion import load_quick
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


def build(folder: Path | None, jobs: int = 1, *, quick: bool = False) -> Build:
    return Build(Goal(TARGET), TARGET, Cache(folder), "digest", jobs, quick=quick)


def quickly(made: Build) -> set[str]:
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
        name, image, _ = made.code(report)
    assert made.compiled == 4, "two, the executor and the shortcut"
    assert image.address("sdx_a") != image.address("sdx_b")
    with build(tmp_path, jobs) as again:
        again.add("b", lambda: text("sdx_b"))
        again.add("a", lambda: text("sdx_a"))
        same = again.code(Report()).key
    assert (same, again.compiled) == (name, 0), "the order of modules changes nothing"


def test_a_text_is_written_once(tmp_path: Path) -> None:
    written = []

    def write() -> str:
        written.append(text("sdx_a"))
        return written[-1]

    with build(tmp_path, 2, quick=True) as made:
        made.add("a", write)
        assert made.code(Report()).draft is not None
    assert len(written) == 1


def test_another_text_is_another_image(tmp_path: Path) -> None:
    names = set()
    for other in ("sdx_a", "sdx_b"):
        with build(tmp_path) as made:
            made.add("m", lambda other=other: text(other))  # type: ignore[misc]
            names.add(made.code(Report()).key)
    assert len(names) == 2
    assert object_key(text("x"), isa.V4) != object_key(text("x"), isa.V3)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_no_ir_is_told(jobs: int, tmp_path: Path) -> None:
    with build(tmp_path, jobs) as made:
        made.add("bad", lambda: "define void @x( {")
        with pytest.raises(CompileError):
            made.code(Report())


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
        made.code(Report())
    assert made.compiled == 0


def test_shared_code_is_that_of_the_facts_of_the_target(tmp_path: Path) -> None:
    wide = replace(isa.V4, channel_block=32)
    keys = set()
    for target in (isa.V4, wide):
        with Build(Goal(target), target, Cache(tmp_path), "digest", 1) as made:
            names = [name for name in shared_modules(target, "fp32") if name.startswith("contraction f32")]
            for name in names:
                made.add(name, shared_modules(target, "fp32")[name])
            keys.add(tuple(made.modules[name].key for name in names))
    assert len(keys) == 2, "another block of channels is other code"


def test_own_modules_are_compiled_quickly_unless_better_code_is_there(tmp_path: Path) -> None:
    report = Report()
    with build(tmp_path) as made:
        made.add("a", lambda: text("sdx_a"))
        full = made.code(report)
    assert (quickly(made), full.draft) == ({SHORTCUT}, None)
    assert "quick_kernels" not in report.counters
    with build(tmp_path, quick=True) as made:
        for name in ("a", "b", "c"):
            made.add(name, lambda name=name: text(f"sdx_{name}"))  # type: ignore[misc]
        made.add("shared", Shared(lambda _: text("sdx_shared")))
        code = made.code(report)
    assert quickly(made) == {"b", "c", SHORTCUT}, "what models share is compiled in full"
    assert report.counters["quick_kernels"] == 2
    assert code.draft is not None
    assert [part.content.decode() for part in code.draft.parts if part.is_text] == [
        text("sdx_b"),
        text("sdx_c"),
    ]


def test_quick_code_serves_until_there_is_the_full_one(tmp_path: Path) -> None:
    """A program has one key for both; quick code of which the full one cannot be made is not used."""

    def code(*, quick: bool) -> tuple[Code, int]:
        with build(tmp_path, quick=quick) as made:
            made.add("a", lambda: text("sdx_a"))
            return made.code(Report()), made.compiled

    store = Cache(tmp_path)
    first, count = code(quick=True)
    assert count == 3
    assert load_cached(store, first.key) is None
    assert load_quick(store, first.key) is not None
    again, count = code(quick=True)
    assert (again.key, count) == (first.key, 0)
    store.remove("draft", first.key)
    assert load_quick(store, first.key) is None
    full, count = code(quick=False)
    assert (full.key, full.draft, count) == (first.key, None, 1)
    assert load_cached(store, full.key) is not None


def test_without_a_cache_quick_code_has_its_draft_with_it() -> None:
    with build(None, quick=True) as made:
        made.add("a", lambda: text("sdx_a"))
        code = made.code(Report())
    assert code.draft is not None
    assert "sdx_a" in code.image


MAPS = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N,37] x, int64[N] at)
=> (float[N,37] a, float[37,N] b, float[N,37] c, float[N,40] d, int32[N,37] e, float[1,1] f) {
    t = Tanh(x) l = Erf(x) a = Add(t, l)
    b = Transpose<perm = [1, 0]>(x)
    f = ReduceSum<keepdims = 1>(x) g = Gather(x, at) c = Exp(g)
    k = Constant<value = int64[4] {0, 1, 0, 2}>() d = Pad(x, k)
    e = Cast<to = 6>(x)
}"""


def test_quick_code_computes_the_same_bits() -> None:
    model = onnx.parser.parse_model(MAPS).SerializeToString()
    full, quick = opened(model, "full", 0), opened(model, "quick", 4)
    for rows in (1, 3, 64):
        rng = np.random.default_rng(rows)
        feeds = {"x": rng.standard_normal((rows, 37), np.float32), "at": rng.integers(0, rows, rows)}
        for a, b in zip(full.run(None, feeds), quick.run(None, feeds), strict=True):
            assert a.tobytes() == b.tobytes(), rows


def opened(model: bytes, effort: str, least: int) -> sx.InferenceSession:
    """A session without a cache, of which so many kernels at least are compiled quickly."""
    options = sx.SessionOptions()
    options.add_session_config_entry("sardonyx.cache", "off")
    options.add_session_config_entry("sardonyx.effort", effort)
    session = sx.InferenceSession(model, options)
    quick = session.report.counters.get("quick_kernels", 0)
    assert quick >= least if least else not quick
    return session

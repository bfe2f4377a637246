"""Quick code gives way to full code while runs go on: same bits, in every kind of program and process."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx.capi.onnxruntime_pybind11_state import RuntimeException
from sardonyx.object import engine
from sardonyx.object.draft import Draft
from sardonyx.runtime import claim, promoter, promotion
from sardonyx.runtime.cache import Cache
from tests.runnable import examples
from tests.unit.runtime.programs import f32, model

TEXT = """
g (float[N,8] x) => (float[N,8] y, float z) <float[8,8] w> {
    a = MatMul(x, w) b = Tanh(a) c = Softmax<axis = 0>(b) y = Erf(c)
    d = Transpose(c) e = Exp(d) z = ReduceSum<keepdims = 0>(e)
}
"""
BRANCH = """
g (float[N,8] x, bool c) => (float[N,8] y, string[1] u) {
    t = Constant<value_strings = ["a"]>()
    y, u = If (c) <
        then_branch = g1 () => (float[N,8] p, string[1] a) { h = Exp(x) p = Erf(h) a = StringNormalizer(t) },
        else_branch = g2 () => (float[N,8] q, string[1] b) { q = Tanh(x) b = Identity(t) }
    >
}
"""
LOOPED = """
g (float[N,8] x, int64 n) => (float[N,8] y, string[1] u) {
    c = Constant<value = bool {1}>()
    t = Constant<value_strings = ["a"]>()
    y, u = Loop (n, c, x, t) <body = b (int64 i, bool k, float[N,8] v, string[1] s)
        => (bool m, float[N,8] r, string[1] o) {
            m = Identity(k) e = Erf(v) r = Tanh(e) o = StringNormalizer(s)
        }>
}
"""
VARIED = """
g (float[N,8] x, int64[K] axes) => (float[M] y) {
    s = ReduceSum<keepdims = 0>(x, axes) e = Exp(s) f = Constant<value = int64[1] {-1}>() y = Reshape(e, f)
}
"""
X = f32(5, 8)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "one segment": (TEXT, {"x": X}),
    "if": (BRANCH, {"x": X, "c": np.array(True)}),
    "loop": (LOOPED, {"x": X, "n": np.array(3)}),
    "variants": (VARIED, {"x": X, "axes": np.array([1])}),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that has what models share."""
    folder = tmp_path_factory.mktemp("shared") / "cache"
    product = "g (float[N,8] x) => (float[N,8] y) <float[8,8] w> { y = MatMul(x, w) }"
    session(product, cache=str(folder))
    return folder


@pytest.fixture(autouse=True)
def cache(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cache]:
    """A cache of its own, and no time to be lost."""
    for kind in ("object", "module"):
        shutil.copytree(shared / kind, tmp_path / "cache" / kind, copy_function=os.link)
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(promoter, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(promotion, "HOT_NS", 1)
    yield Cache(tmp_path / "cache")


def filled(folder: Path, shared: Path) -> Path:
    """A further cache that has what models share."""
    shutil.copytree(shared, folder, copy_function=os.link)
    return folder


def source(text: str) -> bytes:
    return model(text, **({"w": f32(8, 8, seed=1)} if "float[8,8] w" in text else {}))


def session(text: str | bytes, **entries: str) -> sardonyx.InferenceSession:
    options = sardonyx.SessionOptions()
    for name, value in {"effort": "auto", **entries}.items():
        options.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(source(text) if isinstance(text, str) else text, options)


def quick(made: sardonyx.InferenceSession) -> int:
    return made.report.counters.get("quick_kernels", 0)


def bits(made: sardonyx.InferenceSession, feeds: Mapping[str, Any]) -> list[bytes]:
    return [np.asarray(result).tobytes() for result in made.run(None, dict(feeds))]


def until_full(made: sardonyx.InferenceSession, feeds: Mapping[str, Any], expected: list[bytes]) -> None:
    """Run until nothing is quick any more."""
    end = time.monotonic() + 60
    while quick(made):
        assert bits(made, feeds) == expected
        assert time.monotonic() < end, "no full code"
        assert not made.report.fault


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kept", ["", "off"], ids=["kept", "uncached"])
def test_a_session_that_runs_for_a_while_gets_full_code_of_the_same_bits(
    case: str, kept: str, cache: Cache
) -> None:
    text, feeds = CASES[case]
    made = session(text, **({"cache": kept} if kept else {}))
    expected = bits(made, feeds)
    assert quick(made) > 0
    until_full(made, feeds, expected)
    for _ in range(40):
        assert bits(made, feeds) == expected
    if not kept:
        assert not list(cache.entries("draft"))
        again = session(text)
        assert bits(again, feeds) == expected
        assert quick(again) == 0
        assert again.report.counters["compiles"] == 0


@pytest.mark.parametrize("case", CASES)
def test_full_code_can_be_had_at_once(case: str) -> None:
    text, feeds = CASES[case]
    made = session(text, effort="quick")
    expected = bits(made, feeds)
    for _ in range(20):
        assert bits(made, feeds) == expected
    assert quick(made) > 0, "nothing changes by itself"
    made.compile_fully()
    made.compile_fully()
    assert quick(made) == 0
    assert bits(made, feeds) == expected


def test_a_session_that_asks_for_full_code_has_it_from_the_first_run(cache: Cache) -> None:
    made = session(TEXT, effort="full")
    assert quick(made) == 0
    assert quick(session(TEXT)) == 0, "it is in the cache"
    drafted = session(LOOPED)
    assert quick(drafted) > 0
    again = session(LOOPED, effort="full")
    assert quick(again) == 0
    assert not list(cache.entries("draft"))


def test_a_process_that_runs_once_or_for_a_short_while_stays_with_quick_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    made = session(TEXT, cache="off")
    for _ in range(5):
        made.run(None, {"x": X})
    assert made._program._promotion._is_asked is False


def test_runs_without_python_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a shortcut runs is not timed; its rows go when the code goes, and come again."""
    monkeypatch.setattr(promotion, "HOT_NS", 1 << 60)
    made = session(TEXT)
    expected = bits(made, {"x": X})
    while quick(made):
        assert bits(made, {"x": X}) == expected
    for _ in range(100):
        assert bits(made, {"x": X}) == expected


def test_bits_stay_while_four_threads_run() -> None:
    made = session(TEXT)
    feeds = [{"x": f32(rows, 8, seed=rows)} for rows in (1, 5, 70, 300)]
    expected = [bits(made, feed) for feed in feeds]
    over, wrong = threading.Event(), list[object]()

    def serve(number: int) -> None:
        try:
            while not over.is_set():
                if bits(made, feeds[number]) != expected[number]:
                    wrong.append(number)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=serve, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while quick(made) and not wrong:
        time.sleep(0.01)
    time.sleep(0.05)
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_dropped_session_ends_its_promotion(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, count = threading.Event(), 0
    compile_object = engine.compile_object

    def slow(*args: Any, **given: Any) -> bytes:
        nonlocal count
        if not given.get("quick"):
            count += 1
            begun.set()
            time.sleep(0.1)
        return compile_object(*args, **given)

    made = session(TEXT, cache="off")
    program = weakref.ref(made._program)
    total = quick(made)
    assert total > 2
    monkeypatch.setattr(engine, "compile_object", slow)
    while not begun.is_set():
        made.run(None, {"x": X})
    del made
    gc.collect()
    while promoter.PROMOTER._thread is not None:
        time.sleep(0.01)
    assert program() is None
    assert count < total


def test_what_goes_wrong_is_told_and_the_session_runs_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made = session(TEXT)
    expected = bits(made, {"x": X})

    def refuse(*_: Any, **given: Any) -> bytes:
        raise sardonyx.errors.CompileError("no code for this")

    monkeypatch.setattr(engine, "compile_object", refuse)
    end = time.monotonic() + 60
    while not made.report.fault:
        assert bits(made, {"x": X}) == expected
        assert time.monotonic() < end
    assert quick(made) > 0
    assert "no code for this" in made.explain()
    assert "no code for this" in capfd.readouterr().err
    with pytest.raises(RuntimeException, match="no code for this"):
        made.compile_fully()
    monkeypatch.undo()
    made.compile_fully()
    assert quick(made) == 0
    assert not made.report.fault
    assert bits(made, {"x": X}) == expected


@pytest.mark.parametrize("damage", ["gone", "broken"])
def test_without_its_draft_quick_code_is_not_used_by_later_sessions(damage: str, cache: Cache) -> None:
    made = session(TEXT, effort="quick")
    expected = bits(made, {"x": X})
    (draft,) = cache.entries("draft")
    if damage == "gone":
        cache.remove("draft", draft.key)
    else:
        draft.path.write_bytes(b"nonsense")
    again = session(TEXT, effort="full")
    assert quick(again) == 0
    assert bits(again, {"x": X}) == expected
    made.compile_fully()
    assert quick(made) == 0, "that session has made it"
    assert bits(made, {"x": X}) == expected


def test_full_code_that_cannot_be_made_is_told(cache: Cache) -> None:
    made = session(TEXT, effort="quick")
    expected = bits(made, {"x": X})
    (draft,) = cache.entries("draft")
    draft.path.write_bytes(b"nonsense")
    with pytest.raises(RuntimeException, match="no longer in the cache"):
        made.compile_fully()
    assert bits(made, {"x": X}) == expected


def test_another_process_that_makes_the_code_is_waited_for_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, cache: Cache
) -> None:
    made = session(TEXT, effort="quick")
    (draft,) = cache.entries("draft")
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 0.5)
    with cache.claim("image", draft.key, wait=False) as is_ours:
        assert is_ours
        began = time.monotonic()
        made.compile_fully()
        assert time.monotonic() - began >= 0.5
    assert quick(made) == 0


def test_profiles_and_new_providers_are_of_the_code_that_runs() -> None:
    made = session(TEXT)
    expected = bits(made, {"x": X})
    until_full(made, {"x": X}, expected)
    results, times = made._program.profile((X,))
    assert [result.tobytes() for result in results] == expected
    assert len(times) >= 3
    made.set_providers(["CPUExecutionProvider"])
    assert quick(made) == 0
    assert bits(made, {"x": X}) == expected


PROCESS = """
import sys
sys.path[:] = {path}
import os, time
import numpy as np, sardonyx
from sardonyx.runtime import promoter, promotion
promoter.PAUSE_SECONDS, promotion.HOT_NS = {pause_seconds}, 1
session = sardonyx.InferenceSession(sys.argv[1])
x = np.linspace(-3, 3, 24, dtype=np.float32).reshape(3, 8)
first = [y.tobytes() for y in session.run(None, {{"x": x}})]
quick = lambda: session.report.counters.get("quick_kernels", 0)
def run(count):
    for _ in range(count):
        assert [y.tobytes() for y in session.run(None, {{"x": x}})] == first
run(4)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    file.write_bytes(source(TEXT))
    return file


def start(
    code: str, path: Path, folder: Path | str, pause_seconds: float = 0.0, **pipes: Any
) -> subprocess.Popen[str]:
    variables = {**os.environ, "SARDONYX_CACHE": str(folder), "SARDONYX_EFFORT": "auto"}
    whole = PROCESS.format(path=sys.path, pause_seconds=pause_seconds) + code
    return subprocess.Popen([sys.executable, "-c", whole, str(path)], env=variables, text=True, **pipes)


def test_a_process_may_end_at_any_time_meanwhile(path: Path, tmp_path: Path, shared: Path) -> None:
    """LLVM must not compile while its library is taken down."""
    moments = [0.02 * n for n in range(6)][:: examples(3, 1)]
    folders = [filled(tmp_path / f"cache{number}", shared) for number in range(len(moments))]
    ends = [start(f"time.sleep({moments[n]})", path, folder) for n, folder in enumerate(folders)]
    assert [process.wait(120) for process in ends] == [0] * len(moments)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process forks")
def test_a_child_goes_on_with_what_it_has(path: Path, tmp_path: Path) -> None:
    code = """
for number in range(8):
    time.sleep(0.01)
    child = os.fork()
    if not child:
        run(50)
        session.compile_fully()
        run(50)
        assert not quick()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
while quick():
    run(10)
"""
    assert start(code, path, tmp_path / "cache").wait(120) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process forks")
@pytest.mark.parametrize("caching", ["on", "off"])
def test_a_child_comes_to_the_full_code_that_its_parent_has_asked_for(
    path: Path, tmp_path: Path, caching: str
) -> None:
    code = """
child = os.fork()
if not child:
    promoter.PAUSE_SECONDS = 0.0
    end = time.monotonic() + 100
    while quick() and time.monotonic() < end:
        run(4)
        time.sleep(0.01)
    os._exit(bool(quick()))
assert os.waitpid(child, 0)[1] == 0
assert quick()
"""
    folder = tmp_path / "cache" if caching == "on" else "off"
    assert start(code, path, folder, pause_seconds=600.0).wait(120) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process forks")
def test_no_process_forks_amid_an_import(path: Path, tmp_path: Path) -> None:
    """Its child would wait for the end of that import, which nobody brings about."""
    code = """
import threading
found = []
class Noted:
    def find_spec(self, name, *_):
        if threading.current_thread().name == "sardonyx-promoter":
            found.append((name, promoter.PROMOTER.at_work.locked()))
sys.meta_path.insert(0, Noted())
while quick():
    run(10)
assert "sardonyx.object.engine" in dict(found), found
assert all(dict(found).values()), found
"""
    folder = tmp_path / "cache"
    assert start("assert quick()", path, folder, pause_seconds=600.0).wait(120) == 0
    assert start(code, path, folder).wait(120) == 0


def test_what_full_code_was_made_of_is_let_go() -> None:
    def drafts() -> int:
        gc.collect()
        return sum(isinstance(one, Draft) for one in gc.get_objects())

    before = drafts()
    made = session(TEXT, cache="off", effort="quick")
    assert drafts() == before + 1
    made.compile_fully()
    assert drafts() == before
    made.compile_fully()
    assert quick(made) == 0


def test_llvm_is_loaded_while_no_process_forks() -> None:
    """A child would have half of it."""
    made = session(TEXT, effort="quick")
    engine._library.cache_clear()
    thread = threading.Thread(target=made.compile_fully)
    with promoter.PROMOTER.at_work:
        thread.start()
        thread.join(0.5)
        assert not engine._library.cache_info().currsize
    thread.join()
    assert quick(made) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="processes end otherwise there")
def test_a_killed_process_leaves_nothing_broken_and_later_ones_find_full_code(
    path: Path, tmp_path: Path, shared: Path
) -> None:
    for number in range(examples(1, 2)):
        folder = filled(tmp_path / f"cache{number}", shared)
        killed = start("print(quick(), flush=True); time.sleep(60)", path, folder, stdout=subprocess.PIPE)
        assert killed.stdout is not None
        assert int(killed.stdout.readline()) > 0
        time.sleep(0.05 * number)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert start("while quick(): run(10)", path, folder).wait(60) == 0
        assert start("assert not quick(); run(10)", path, folder).wait(60) == 0


def test_two_processes_share_the_work(path: Path, tmp_path: Path) -> None:
    both = [start("while quick(): run(10)", path, tmp_path / "cache") for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    cache = Cache(tmp_path / "cache")
    assert not list(cache.entries("draft"))
    assert len(list(cache.entries("image"))) == 1

"""What every test may ask for: golden texts, seeded random numbers; and an environment of its own."""

from __future__ import annotations

import difflib
import gc
import os
import signal
import zlib
from collections.abc import Generator, Iterator
from itertools import groupby
from pathlib import Path
from typing import TypeGuard

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from sardonyx.base.garbage import uncollected
from tests.spread import spread

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Real models, and kernels alone for this machine's own level, are compiled in full in every run of the tests,
# all others in `make test-all`.
os.environ.setdefault("SARDONYX_EFFORT", "quick")
# Tests run on every core, where a library's threads would spin until those of other processes have theirs.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# A shell has what it runs in the background ignore interrupts, which processes of tests would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

GOLDEN = Path(__file__).parent / "golden"
SPREAD = {
    Path(__file__).parent / name
    for name in (
        *("property", "api/test_saved.py", "registry/test_sharing.py"),
        *(
            f"unit/{n}"
            for n in ("compression", "convert", "emit", "kernels", "llvm", "loops", "ops", "passes")
        ),
        *("unit/base/test_drawn.py", "unit/protocol/test_datatypes.py", "unit/zoo/tasks/test_images.py"),
        *(f"unit/runtime/test_{n}.py" for n in ("blockwise", "program", "promotion", "session_process")),
        "unit/store/test_programs.py",
    )
}
"""Tests whose options are kinds of the same: element types, layouts, sizes, threads, targets, databases."""
SEED = int(os.environ.get("TEST_SEED", "0"))


class Golden:
    """An expected text in tests/golden/<test file>/<test>.txt; compare with `text == golden`."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, path: Path, *, update: bool) -> None:
        self.path, self.update = path, update

    def __eq__(self, text: object) -> bool:
        """True if the text is the expected one; with --update-golden, after writing it down."""
        assert isinstance(text, str)
        if self.update:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(text, encoding="utf-8")
        return self.text() == text

    def text(self) -> str:
        """The expected text, or nothing if none was written yet."""
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the expected texts")


def pytest_xdist_auto_num_workers() -> int:
    """Half as many processes again as there are cores: tests wait for servers that they start."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


def pytest_configure(config: pytest.Config) -> None:
    """Each process of a whole run begins at another file, and finds compiled what others began at."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if worker and config.args == config.getini("testpaths"):
        patterns = config.getini("python_files")
        files = sorted({str(f) for pattern in patterns for f in Path(__file__).parent.rglob(pattern)})
        begin = len(files) * int(worker) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        config.args = files[begin:] + files[:begin]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All processes have the same order, wherever they began; of products of options few tests are quick."""
    items.sort(key=lambda item: item.path)
    for path, tests in groupby(items, lambda item: item.path):
        if not SPREAD.isdisjoint((path, *path.parents)):
            for _, product in groupby(filter(_has_options, tests), lambda item: item.originalname):
                _keep_few(list(product))


def pytest_pycollect_makeitem(collector: pytest.Module, obj: object) -> list[pytest.Item] | None:
    """Functions all of whose tests are slow make none where none is wanted."""
    is_slow = any(mark.name == "slow" for mark in getattr(obj, "pytestmark", ()))
    return [] if is_slow and collector.config.option.markexpr == "not slow" else None


def _has_options(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return hasattr(item, "callspec") and item.get_closest_marker("slow") is None


def _keep_few(product: list[pytest.Function]) -> None:
    options = [[id(option) for option in item.callspec.params.values()] for item in product]
    for item, is_kept in zip(product, spread(options), strict=True):
        if not is_kept:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests live on, so the collector looks at them neither while they are made nor later.

    At Python's own threshold it would take a thirtieth of the time of all tests.
    """
    with uncollected():
        result = yield
        gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Nor does it look at what the tests of a file have made and left: every search would take longer.

    What a file sets for its tests must not last: all later ones would be compiled as it asks.
    """
    result = yield
    if nextitem is None or nextitem.path != item.path:
        assert _asked() == ASKED, f"{item.path.name} leaves other settings behind"
        gc.collect()
        gc.freeze()
    return result


def _asked() -> dict[str, str]:
    own = "SARDONYX_CACHE"
    return {name: value for name, value in os.environ.items() if name.startswith("SARDONYX_") and name != own}


ASKED = _asked()
"""The settings of all tests but their cache, which `own_cache` makes."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that are not text get a name: compressed ones hold the time, and all workers collect the same."""
    if not isinstance(val, bytes) or val.isascii():
        return None
    return f"{argname} of {len(val)} bytes"


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    if op != "==" or not isinstance(right, Golden) or not isinstance(left, str):
        return None
    lines = difflib.unified_diff(right.text().splitlines(), left.splitlines(), "expected", "now", lineterm="")
    return [f"text differs from {right.path.relative_to(GOLDEN.parent)}; `make golden` rewrites it", *lines]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in request.node.name.removeprefix("test_"))
    folder = GOLDEN / request.path.stem.removeprefix("test_")
    return Golden(folder / f"{name}.txt", update=request.config.getoption("--update-golden"))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that differ between tests and repeat between runs; the seed shows when a test fails."""
    seed = zlib.crc32(request.node.nodeid.encode()) + SEED
    print(f"seed {seed}; vary all with TEST_SEED={SEED}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile into a fresh cache, so that nothing passes because of an older build.

    Processes that share the tests of a run share it too.
    """
    if "SARDONYX_CACHE" in os.environ:
        yield
        return
    folder = tmp_path_factory.getbasetemp()
    whole_run = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    os.environ["SARDONYX_CACHE"] = str(whole_run / "cache")
    yield
    del os.environ["SARDONYX_CACHE"]

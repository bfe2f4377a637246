"""What the process is asked for holds until it is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sardonyx.ort import environment
from sardonyx.ort.options import SessionOptions
from sardonyx.version import __version__


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    yield
    environment.set_global_thread_pool_sizes()


def own(wanted: bool) -> SessionOptions:
    options = SessionOptions()
    options.use_per_session_threads = wanted
    return options


def test_a_common_team_forbids_threads_of_a_session() -> None:
    environment.check_threads(own(True))
    environment.set_global_thread_pool_sizes(3)
    assert environment.global_threads() == 3
    environment.check_threads(own(False))
    with pytest.raises(RuntimeError, match="use_per_session_threads must be false"):
        environment.check_threads(own(True))
    environment.set_global_thread_pool_sizes(0, 2)
    assert environment.global_threads() == 0
    with pytest.raises(RuntimeError):
        environment.check_threads(own(True))
    environment.set_global_thread_pool_sizes()
    environment.check_threads(own(True))


@pytest.mark.parametrize("bad", [1.5, "2", 1 << 31])
def test_counts_are_integers(bad: Any) -> None:
    with pytest.raises(TypeError):
        environment.set_global_thread_pool_sizes(bad)
    with pytest.raises(TypeError):
        environment.set_global_thread_pool_sizes(1, bad)
    assert environment.global_threads() == 0


def test_a_seed_is_an_integer() -> None:
    for bad in (1.5, "2", None):
        with pytest.raises(TypeError, match="set_seed"):
            environment.set_seed(bad)  # type: ignore[arg-type]


def test_what_is_said_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert environment.get_version_string() == __version__
    assert f"version={__version__}" in environment.get_build_info()
    assert environment.get_available_providers() == ["CPUExecutionProvider"]
    assert set(environment.get_available_providers()) < set(environment.get_all_providers())
    environment.print_debug_info()
    assert environment.get_build_info() in capsys.readouterr().out
    assert environment.get_default_session_options() is environment.get_default_session_options()

"""Functions about the package and the process: providers, build, seed, thread counts.

Must not know sessions.
"""

from __future__ import annotations

import operator
import platform
from typing import Any

from sardonyx.ort.options import SessionOptions, as_int
from sardonyx.ort.providers import ALL_PROVIDERS, AVAILABLE_PROVIDERS
from sardonyx.runtime import seed as random_seed
from sardonyx.version import __version__


class _Process:
    threads: int = 0
    pools_are_global: bool = False
    default_options: SessionOptions | None = None


def get_available_providers() -> list[str]:
    """The execution providers of this package."""
    return list(AVAILABLE_PROVIDERS)


def get_all_providers() -> list[str]:
    """All names that are known as execution providers, whether available or not."""
    return list(ALL_PROVIDERS)


def get_device() -> str:
    """The kind of device models run on: CPU."""
    return "CPU"


def get_version_string() -> str:
    """The version of the package."""
    return __version__


def get_build_info() -> str:
    """One line about package, interpreter and machine."""
    python = platform.python_version()
    return (
        f"Sardonyx Build Info: version={get_version_string()}, python={python}, machine={platform.machine()}"
    )


def print_debug_info() -> None:
    """Print what a report of a fault needs: package, interpreter, machine, providers."""
    print(get_build_info())
    print(f"platform: {platform.platform()}")
    print(f"providers: {', '.join(get_available_providers())}")


def preload_dlls(
    cuda: bool = True, cudnn: bool = True, msvc: bool = True, directory: str | None = None
) -> None:
    """Nothing to load: the package has no libraries."""


def has_collective_ops() -> bool:
    """False: there is no multi-device communication."""
    return False


def disable_telemetry_events() -> None:
    """Nothing to disable: there is no telemetry."""


def enable_telemetry_events() -> None:
    """Nothing to enable: there is no telemetry."""


def set_seed(seed: int, /) -> None:
    """Make random operators that carry no seed of their own repeat themselves from here on.

    Holds for all sessions of the process: the same runs in the same order then draw the same numbers.
    """
    try:
        random_seed.set_seed(operator.index(seed))
    except TypeError:
        raise TypeError(f"set_seed(): incompatible function arguments: expected int, got {seed!r}") from None


def set_global_thread_pool_sizes(intra_op_num_threads: int = 0, inter_op_num_threads: int = 0) -> None:
    """Set the team's size for sessions that ask for none; the second number has no effect.

    Sessions made later must say `use_per_session_threads = False`. Zeros take it back.
    """
    inter = as_int("set_global_thread_pool_sizes()", inter_op_num_threads)
    _Process.threads = max(0, as_int("set_global_thread_pool_sizes()", intra_op_num_threads))
    _Process.pools_are_global = _Process.threads > 0 or inter > 0


def check_threads(options: SessionOptions) -> None:
    """Raise RuntimeError if a session asks for threads of its own after the process asked for common ones.

    All sessions share one team in any case; code that is written for both engines must not find out late.
    """
    if _Process.pools_are_global and options.use_per_session_threads:
        raise RuntimeError(
            "use_per_session_threads must be false when using a global thread pool; set it to False in the "
            "SessionOptions"
        )


def global_threads() -> int:
    """The team's size that `set_global_thread_pool_sizes` asked for; 0 = not asked."""
    return _Process.threads


def get_default_session_options() -> Any:
    """The options of sessions made without any."""
    if _Process.default_options is None:
        _Process.default_options = SessionOptions()
    return _Process.default_options

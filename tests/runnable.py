"""Which targets this machine can execute; tests run on those and skip the rest by name."""

from __future__ import annotations

import zlib

import pytest

from sardonyx import targets
from sardonyx.base.dataclass import replace
from sardonyx.base.knobs import EFFORT
from sardonyx.base.target import Target
from sardonyx.errors import TargetError
from sardonyx.targets.x86_64 import isa


def runnable_targets() -> list[Target]:
    """The levels that this machine can execute, and no more than the environment asks for."""
    best = targets.detect()
    return [t for t in isa.TARGETS if set(t.features) <= set(best.features)]


def need(target: Target) -> Target:
    """The target; skips the test if this machine cannot execute it."""
    try:
        return targets.executable(target)
    except TargetError as error:
        pytest.skip(str(error))


def is_quick(target: Target, what: str) -> bool:
    """Whether a test compiles this for a target as a new model is compiled, in a third of the time.

    In full are compiled, in every run, one in eight for the machine's own level, and all in `make test-all`.
    """
    is_sample = zlib.crc32(what.encode()) % 8 == 0
    return is_for_others(target) or (EFFORT.read() == "quick" and not is_sample)


def is_for_others(target: Target) -> bool:
    """Whether this machine would choose another level: only `make test-all` compiles for that in full."""
    return EFFORT.read() == "quick" and target.lanes != targets.detect().lanes


def examples(quick: int, full: int) -> int:
    """How many examples a test draws: the first few in `make test`, all in `make test-all`."""
    return quick if EFFORT.read() == "quick" else full


def with_each_feature() -> list[Target]:
    """The runnable levels, and each with one of the features that tiles of its own ask for."""
    best = targets.detect()
    found = []
    for level in runnable_targets():
        asked = {feature for tile in level.tiles for feature in tile.features}
        have = sorted(asked & set(best.features))
        found += [level, *(isa.with_features(level, [feature]) for feature in have)]
    return found


def narrow_twin() -> Target | None:
    """The tiles of AVX2 with AVX-VNNI as AVX-512 encodes their instructions; None if that is not here."""
    if not {*isa.V4.features, "avx512vnni"} <= set(targets.detect().features):
        return None
    tiles = tuple(replace(tile, features=()) for tile in isa.V3.tiles)
    return replace(
        isa.with_features(isa.V4, ["avx512vnni"]), name=f"{isa.V4.name}+ymm", lanes=isa.V3.lanes, tiles=tiles
    )

"""All modules that models share: what a wheel brings along compiled. No start needs to know them all."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.knobs import PRECISIONS
from sardonyx.base.target import Target
from sardonyx.compiler.build import ALWAYS
from sardonyx.emit.turn import turns
from sardonyx.kernels.library import (
    Shared,
    attention,
    contraction,
    digits,
    matrices,
    matrix_attention,
    matrix_convolutions,
    moving,
    short,
    strassen,
    winograd,
)
from sardonyx.kernels.short.choose import TWO_STREAMS
from sardonyx.kernels.winograd.scheme import ALL as SCHEMES
from sardonyx.kernels.winograd.scheme import on_registers


def shared_modules(level: Target) -> Mapping[str, Shared]:
    """All modules that models share on CPUs of a level in every precision, by name."""
    tiles = [tile for tile in level.tiles if set(PRECISIONS) <= set(tile.precisions)]
    kernels = {name: text for tile in tiles for name, text in contraction(tile).items()}
    in_digits = [tile for tile in level.matrices if tile.operand == "fixed24"]
    for tile in in_digits:
        kernels |= {**digits(tile), **matrix_convolutions(tile)}
    for tile in (tile for tile in level.matrices if tile not in in_digits):
        kernels |= matrices(tile)
        if tile.operand == "f32" and tile.everywhere:
            kernels |= {**matrix_convolutions(tile), **matrix_attention(tile)}
    if level.matrices:
        kernels |= short(TWO_STREAMS)
    for scheme in (*SCHEMES, *(scheme for tile in in_digits for scheme in on_registers(tile))):
        kernels |= winograd(scheme)
    for turn in turns(level):
        kernels |= moving(turn)
    return {**kernels, **strassen(), **short(), **attention(), **ALWAYS}

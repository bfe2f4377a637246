"""All modules that models share: what a wheel brings along compiled. No start needs to know them all."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile
from sardonyx.compiler.build import ALWAYS
from sardonyx.emit.turn import turns
from sardonyx.kernels.library import (
    Shared,
    attention,
    beside,
    contraction,
    digits,
    halves_matrix_convolutions,
    matrices,
    matrix_attention,
    matrix_convolutions,
    moving,
    outliers_convolutions,
    plain_matrix_convolutions,
    shallow,
    short,
    strassen,
    tall,
    windowed,
    winograd,
)
from sardonyx.kernels.shallow.call import MOST_STEPS
from sardonyx.kernels.short.choose import TWO_STREAMS
from sardonyx.kernels.tiles.beside import lanes_of
from sardonyx.kernels.tiles.shape import BY_LEFT
from sardonyx.kernels.winograd.scheme import ALL as SCHEMES
from sardonyx.kernels.winograd.scheme import on_registers
from sardonyx.passes.short_sums import IN_PAIRS

_OPERANDS = {*BY_LEFT.values(), IN_PAIRS}
"""Those of contractions."""


def shared_modules(level: Target, precision: str) -> Mapping[str, Shared]:
    """All modules that models share on CPUs of a level in a precision, by name."""
    tiles = [tile for tile in level.tiles if precision in tile.precisions and tile.operand in _OPERANDS]
    matrices = [tile for tile in level.matrices if precision in tile.precisions]
    kernels = {name: text for tile in tiles for name, text in contraction(tile).items()}
    for tile in matrices:
        kernels |= _on_matrices(tile)
    if any(tile.operand == IN_PAIRS for tile in tiles):
        kernels |= outliers_convolutions()
    if level.matrices:
        kernels |= short(TWO_STREAMS)
    in_digits = [scheme for tile in matrices if tile.operand == "fixed24" for scheme in on_registers(tile)]
    for scheme in (*SCHEMES, *in_digits):
        kernels |= winograd(scheme)
    for turn in turns(level):
        kernels |= moving(turn)
    for together in {lanes_of(columns, level.lanes) for columns in range(1, level.lanes)} - {1}:
        kernels |= beside(together)
    for steps in range(1, MOST_STEPS + 1):
        kernels |= shallow(steps)
    return {**kernels, **tall(), **windowed(), **strassen(), **short(), **attention(), **ALWAYS}


def _on_matrices(tile: MatrixTile) -> Mapping[str, Shared]:
    """The modules that a tile of matrix registers serves."""
    if tile.operand == "fixed24":
        return {**digits(tile), **matrix_convolutions(tile), **plain_matrix_convolutions(tile)}
    if tile.operand != "f32" or not tile.everywhere:
        return matrices(tile)
    rounded = {**plain_matrix_convolutions(tile), **halves_matrix_convolutions(tile)}
    return {**matrix_attention(tile), **matrix_convolutions(tile), **(rounded if tile.terms == 1 else {})}

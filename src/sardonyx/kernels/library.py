"""The contraction kernels as LLVM IR: modules that serve every model on CPUs of one level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, TypeVar

from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile, RegisterTile
from sardonyx.passes.narrow import BYTES_ANYWHERE

if TYPE_CHECKING:
    from sardonyx.emit.turn import Turn
    from sardonyx.kernels.convolution.grouped import Few
    from sardonyx.kernels.convolution.taps import Taps
    from sardonyx.kernels.winograd.scheme import Scheme
    from sardonyx.llvm.vec import Module

T = TypeVar("T")

_PARTS = 4
"""Modules of about equal length for one element type, which are compiled side by side."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The text of a module that is the same in every model: a function of the level of the CPU alone.

    And of those features of the CPU beyond its level that it asks for.
    """

    of: Callable[[Goal], str]
    features: tuple[str, ...] = ()

    def goal(self, level: Target, policy: Policy) -> Goal:
        """What the text is made and compiled for, on CPUs of a level: of the policy the precision alone."""
        features = (*level.features, *(f for f in self.features if not level.has(f)))
        return Goal(replace(level, features=features), Policy(policy.precision))


Text = Callable[[], str] | Shared
"""How the IR of a module is made."""


def contraction(tile: RegisterTile) -> Mapping[str, Shared]:
    """The modules with `sdx_gemm_*`, `sdx_gemm_dynamic_*` and `sdx_conv_*` for a tile's operands, by name."""
    name = f"contraction {' '.join((tile.operand, *tile.features))}"
    return {f"{name} {n}": Shared(partial(_part, tile.operand, n), tile.features) for n in range(_PARTS)}


def _part(operand: str, number: int, goal: Goal) -> str:
    return library_ir(goal, operand)[number]


def winograd(scheme: Scheme) -> Mapping[str, Shared]:
    """The module with `sdx_winograd_{scheme.name}`, which needs those of `contraction`, by name.

    With matrix registers that of their micro-kernels too.
    """
    if not scheme.tile:
        return {f"winograd {scheme.name}": Shared(partial(winograd_ir, scheme))}
    own = {f"winograd {scheme.name}": Shared(partial(winograd_ir, scheme), scheme.tile.features)}
    return {**own, **digits(scheme.tile)}


@cache
def winograd_ir(scheme: Scheme, goal: Goal) -> str:
    """The text of `winograd`."""
    from sardonyx.kernels.winograd.driver import define_winograd

    return _beside(define_winograd, f"winograd_{scheme.name}", goal, scheme)


def windowed() -> Mapping[str, Shared]:
    """The module with `sdx_windowed`, by name."""
    return {"windowed": Shared(windowed_ir)}


@cache
def windowed_ir(goal: Goal) -> str:
    """The text of `windowed`."""
    from sardonyx.kernels.windowed.driver import define_windowed

    return _beside(lambda module, goal, _: define_windowed(module), "windowed", goal, 0)


def strassen() -> Mapping[str, Shared]:
    """The module with `sdx_gemm_strassen_f32`, which needs those of `contraction`, by name."""
    return {"strassen": Shared(strassen_ir)}


@cache
def strassen_ir(goal: Goal) -> str:
    """The text of `strassen`."""
    from sardonyx.kernels.strassen.driver import define_strassen

    return _beside(lambda module, goal, _: define_strassen(module, goal), "strassen", goal, 0)


def short(*features: str) -> Mapping[str, Shared]:
    """The module with `sdx_gemm_short_f32`, which needs those of `contraction`, by name."""
    return {" ".join(("short", *features)): Shared(short_ir, features)}


@cache
def short_ir(goal: Goal) -> str:
    """The text of `short`."""
    from sardonyx.kernels.short.driver import define_short

    return _beside(lambda module, goal, _: define_short(module, goal), "short", goal, 0)


def shallow(steps: int) -> Mapping[str, Shared]:
    """The module with `sdx_gemm_shallow{steps}_f32` and `sdx_gemm_shallow{steps}_dynamic_f32`, by name.

    It needs those of `contraction`.
    """
    return {f"shallow {steps}": Shared(partial(shallow_ir, steps))}


@cache
def shallow_ir(steps: int, goal: Goal) -> str:
    """The text of `shallow`."""
    from sardonyx.kernels.shallow.driver import define_shallow

    return _beside(define_shallow, "shallow", goal, steps)


def grouped(few: Few) -> Mapping[str, Shared]:
    """The module with `sdx_conv_{few.name}_f32`, which needs those of `contraction`, by name."""
    return {few.name: Shared(partial(grouped_ir, few))}


@cache
def grouped_ir(few: Few, goal: Goal) -> str:
    """The text of `grouped`."""
    from sardonyx.kernels.convolution.grouped import define_grouped

    return _beside(define_grouped, few.name, goal, few)


def beside(together: int) -> Mapping[str, Shared]:
    """The module with the micro-kernels of panels of a few columns, and what picks them, by name."""
    return {f"beside {together}": Shared(partial(beside_ir, together))}


@cache
def beside_ir(together: int, goal: Goal) -> str:
    """The text of `beside`."""
    from sardonyx.kernels.tiles.beside import define_beside
    from sardonyx.llvm.vec import Module

    module = Module()
    define_beside(module, goal, together)
    return module.text()


def tall() -> Mapping[str, Shared]:
    """The module with the micro-kernels of tall tiles of one vector, and what picks them, by name."""
    return {"tall": Shared(tall_ir)}


@cache
def tall_ir(goal: Goal) -> str:
    """The text of `tall`."""
    from sardonyx.kernels.tiles.tall import define_tall
    from sardonyx.llvm.vec import Module

    module = Module()
    define_tall(module, goal)
    return module.text()


def single(taps: Taps, tile: RegisterTile) -> Mapping[str, Shared]:
    """The module with `sdx_conv_{taps.name}_i8`, which needs those of `contraction`, by name."""
    return {taps.name: Shared(partial(single_ir, taps), (*tile.features, BYTES_ANYWHERE))}


@cache
def single_ir(taps: Taps, goal: Goal) -> str:
    """The text of `single`."""
    from sardonyx.kernels.convolution.taps import define_taps

    return _beside(define_taps, taps.name, goal, taps)


def attention() -> Mapping[str, Shared]:
    """The module with `sdx_attention_f32`, which needs those of `contraction`, by name."""
    return {"attention": Shared(attention_ir)}


def matrix_attention(tile: MatrixTile) -> Mapping[str, Shared]:
    """The modules with `sdx_attention_{tile.name}_f32`, which need those of `contraction`, by name."""
    own = {f"attention {tile.name}": Shared(partial(matrix_attention_ir, tile), tile.features)}
    return {**matrices(tile), **own}


@cache
def attention_ir(goal: Goal) -> str:
    """The text of `attention`."""
    from sardonyx.kernels.attention.driver import define_attention

    return _beside(lambda module, goal, _: define_attention(module, goal), "attention", goal, 0)


@cache
def matrix_attention_ir(tile: MatrixTile, goal: Goal) -> str:
    """The text of `matrix_attention`."""
    from sardonyx.kernels.attention.matrix import define_matrix_attention

    return _beside(define_matrix_attention, "attention", goal, tile)


def turning(turns: Iterable[Turn]) -> Mapping[str, Shared]:
    """The modules with the functions that turn matrices, by name."""
    return {f"turn {turn.memory} {turn.lanes}": Shared(partial(_turn_ir, turn)) for turn in turns}


def _turn_ir(turn: Turn, goal: Goal) -> str:
    return turn.ir(goal.target)


def moving(turn: Turn) -> Mapping[str, Shared]:
    """The module with `sdx_move_*` for elements of one size, and that of what it turns them with, by name."""
    return {f"move {turn.size_bytes}": Shared(partial(_move_ir, turn)), **turning([turn])}


def _move_ir(turn: Turn, goal: Goal) -> str:
    from sardonyx.kernels.moves.driver import define_moves
    from sardonyx.llvm.vec import Module

    module = Module()
    define_moves(module, goal.target, turn)
    return module.text()


def blockwise(bits: int) -> Mapping[str, Shared]:
    """The module with `sdx_gemm_blockwise{bits}_f32`, which needs those of `contraction`, by name."""
    return {f"blockwise {bits}": Shared(partial(blockwise_ir, bits))}


def matrix_blockwise(bits: int, tile: MatrixTile) -> Mapping[str, Shared]:
    """The module with `sdx_gemm_{tile}_blockwise{bits}_f32`, which needs those of `contraction`, by name.

    And those of `matrices` and `blockwise`.
    """
    name = f"blockwise {bits} {tile.name}"
    own = {name: Shared(partial(matrix_blockwise_ir, (bits, tile)), tile.features)}
    return {**own, **matrices(tile), **blockwise(bits)}


@cache
def matrix_blockwise_ir(of: tuple[int, MatrixTile], goal: Goal) -> str:
    """The text of `matrix_blockwise`."""
    from sardonyx.kernels.product.driver import define_blockwise_matrix

    bits, tile = of

    def define(module: Module, goal: Goal, _: int) -> None:
        define_blockwise_matrix(module, goal, bits, tile)

    return _beside(define, f"{tile.name}_blockwise{bits}", goal, 0)


@cache
def blockwise_ir(bits: int, goal: Goal) -> str:
    """The text of `blockwise`."""
    from sardonyx.kernels.product.driver import define_blockwise

    return _beside(define_blockwise, f"blockwise{bits}", goal, bits)


def outliers() -> Mapping[str, Shared]:
    """The module with `sdx_gemm_outliers_i8pairs`, which needs those of `contraction`, by name."""
    return {"outliers": Shared(outliers_ir)}


def outliers_convolutions() -> Mapping[str, Shared]:
    """The module with `sdx_conv_outliers_i8pairs`, which needs those of `contraction` and `outliers`."""
    return {"outliers conv": Shared(outliers_convolutions_ir), **outliers()}


@cache
def outliers_convolutions_ir(goal: Goal) -> str:
    """The text of `outliers_convolutions`."""
    from sardonyx.kernels.convolution.driver import define_outliers_conv

    return _beside(lambda module, goal, _: define_outliers_conv(module, goal), "conv", goal, 0)


@cache
def outliers_ir(goal: Goal) -> str:
    """The text of `outliers`."""
    from sardonyx.kernels.outliers.walk import define_outliers

    return _beside(lambda module, goal, _: define_outliers(module, goal), "outliers", goal, 0)


def points(bits: int, tile: RegisterTile) -> Mapping[str, Shared]:
    """The module with `sdx_gemm_points{bits}_f32`, which needs those of `contraction`, by name.

    And that of `blockwise`, for rows that have no points. `tile` is that of bytes.
    """
    name = " ".join((f"points {bits}", *tile.features))
    return {name: Shared(partial(points_ir, bits), tile.features), **blockwise(bits)}


@cache
def points_ir(bits: int, goal: Goal) -> str:
    """The text of `points`."""
    from sardonyx.kernels.product.driver import define_points

    return _beside(define_points, f"points{bits}", goal, bits)


def matrices(tile: MatrixTile) -> Mapping[str, Shared]:
    """The module with products by a tile of matrix registers, which needs those of `contraction`, by name."""
    return {f"matrices {tile.operand} {tile.name}": Shared(partial(matrices_ir, tile), tile.features)}


def digits(tile: MatrixTile) -> Mapping[str, Shared]:
    """The module with the micro-kernels of digits, and what cuts rows into them, by name."""
    return {f"digits {tile.operand} {tile.name}": Shared(partial(digits_ir, tile), tile.features)}


@cache
def digits_ir(tile: MatrixTile, goal: Goal) -> str:
    """The text of `digits`."""
    from sardonyx.kernels.digits.blocks import define_cut_blocks, define_cut_evenly, define_largest_of_blocks
    from sardonyx.kernels.digits.dense import dense_kernels
    from sardonyx.kernels.digits.kernel import kernels
    from sardonyx.kernels.tiles.matrix import MatrixShape

    def define(module: Module, goal: Goal, tile: MatrixTile) -> None:
        kernels(module, MatrixShape(tile))
        dense_kernels(module, MatrixShape(tile))
        for cut in (define_cut_blocks, define_cut_evenly, define_largest_of_blocks):
            for careful, normed in product((False, True), repeat=2):
                block = goal.target.channel_block
                cut(module, MatrixShape(tile), block, careful=careful, normed=normed)

    return _beside(define, "digits", goal, tile)


def matrix_convolutions(tile: MatrixTile) -> Mapping[str, Shared]:
    """The module with convolutions of floats, which needs those of `matrices` and `contraction`, by name."""
    name = f"matrix convolutions {tile.operand} {tile.name}"
    return {name: Shared(partial(matrix_convolutions_ir, tile), tile.features)}


def plain_matrix_convolutions(tile: MatrixTile) -> Mapping[str, Shared]:
    """The same for plain input of few channels."""
    name = f"plain matrix convolutions {tile.operand} {tile.name}"
    return {name: Shared(partial(plain_matrix_convolutions_ir, tile), tile.features)}


@cache
def plain_matrix_convolutions_ir(tile: MatrixTile, goal: Goal) -> str:
    """The text of `plain_matrix_convolutions`."""
    from sardonyx.kernels.convolution.driver import define_plain_matrix_conv

    return _beside(define_plain_matrix_conv, "conv", goal, tile)


def halves_matrix_convolutions(tile: MatrixTile) -> Mapping[str, Shared]:
    """The same for input of numbers of the tile."""
    name = f"halves matrix convolutions {tile.operand} {tile.name}"
    return {name: Shared(partial(halves_matrix_convolutions_ir, tile), tile.features)}


@cache
def halves_matrix_convolutions_ir(tile: MatrixTile, goal: Goal) -> str:
    """The text of `halves_matrix_convolutions`."""
    from sardonyx.kernels.convolution.driver import define_halves_matrix_conv

    return _beside(define_halves_matrix_conv, "conv", goal, tile)


@cache
def matrix_convolutions_ir(tile: MatrixTile, goal: Goal) -> str:
    """The text of `matrix_convolutions`."""
    from sardonyx.kernels.convolution.driver import define_matrix_conv

    return _beside(define_matrix_conv, "conv", goal, tile)


@cache
def matrices_ir(tile: MatrixTile, goal: Goal) -> str:
    """The text of `matrices`."""
    from sardonyx.kernels.convolution.driver import define_matrix_conv
    from sardonyx.kernels.product.driver import define_matrix
    from sardonyx.kernels.tiles.finish import define_finish
    from sardonyx.kernels.tiles.shape import TileShape

    def define(module: Module, goal: Goal, tile: MatrixTile) -> None:
        define_matrix(module, goal, tile)
        if tile.operand == "i8":
            define_matrix_conv(module, goal, tile)
        elif tile.terms == 1:
            define_finish(module, TileShape.of(goal, tile.operand), tile.instruction.narrow)

    return _beside(define, tile.name, goal, tile)


def _beside(define: Callable[[Module, Goal, T], None], name: str, goal: Goal, of: T) -> str:
    """The text of the part of a module that is new beside those of `contraction`."""
    from sardonyx.llvm.vec import Module

    module = Module()
    define(module, goal, of)
    return module.part(name)


@cache
def library_ir(goal: Goal, operand: str = "f32") -> tuple[str, ...]:
    """The texts of `contraction`, of which each needs the others; what writes them is imported for them."""
    from sardonyx.kernels.convolution.driver import define_conv
    from sardonyx.kernels.product.driver import define_gemm
    from sardonyx.llvm.vec import Module

    module = Module()
    define_gemm(module, goal, operand)
    define_conv(module, goal, operand)
    return module.parts(_PARTS)

"""Which kernel family computes a group: contraction, convolution, algorithm, or a loop nest.

A family is imported when a model has a group of its kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import NativeCall
from sardonyx.kernels.library import (
    Text,
    attention,
    beside,
    blockwise,
    contraction,
    digits,
    grouped,
    halves_matrix_convolutions,
    matrices,
    matrix_attention,
    matrix_blockwise,
    matrix_convolutions,
    moving,
    outliers,
    outliers_convolutions,
    plain_matrix_convolutions,
    points,
    shallow,
    short,
    single,
    strassen,
    tall,
    turning,
    windowed,
    winograd,
)
from sardonyx.kernels.loops import Emissions
from sardonyx.kernels.moves.call import move_call
from sardonyx.kernels.opaque import FAMILIES, opaque_calls
from sardonyx.loops.lower import lower, lower_padding

NATIVE = frozenset(FAMILIES)
"""Opaque primitives that have kernels."""

Library = Mapping[str, Text]
Calls = Iterator[tuple[NativeCall, Library]]


def native_calls(group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions) -> Calls:
    """The calls that compute a group, each with the IR modules it links to (by key)."""
    match group.kind:
        case "concat":
            return
        case "opaque":
            yield from opaque_calls(group, places, goal)
        case "contract":
            yield contract_call(group, places, goal, emissions)
        case "attention":
            from sardonyx.kernels.attention.call import attention_call

            call, modules, tile = attention_call(group, places, goal, emissions)
            own = {name: partial(str, ir) for name, ir in modules.items()}
            products = matrix_attention(tile) if tile else attention()
            yield call, {**products, **contraction(goal.tile("f32")), **own}
        case "windowed":
            yield from _windowed_calls(group, places, goal, emissions)
        case "normed":
            yield from _normed_calls(group, places, goal, emissions)
        case _:
            kernels = [lower_padding(group, places)] if group.kind == "padding" else lower(group, places)
            for kernel in kernels:
                if (move := move_call(kernel, goal.target)) is not None:
                    yield move[0], moving(move[1])
                    continue
                call, ir = emissions.call(kernel)
                yield call, {**turning(emissions.turns(call)), call.symbol: partial(str, ir)}


def _normed_calls(group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions) -> Calls:
    """One call of norm and convolution, or of each where that reads no digits, and those of what follows."""
    from sardonyx.kernels.convolution.normed import normed_call

    before, first, *others = group.parts
    kernels: dict[str, Text] = {}

    def convolve(part: Group, at: Mapping[int, Place]) -> NativeCall:
        call, modules = contract_call(part, at, goal, emissions)
        kernels.update(modules)
        return call

    if made := normed_call(before, first, places, goal, convolve):
        yield made, kernels
    else:
        yield from native_calls(before, places, goal, emissions)
        others = [replace(group, kind="windowed", parts=group.parts[1:]) if others else first]
    for part in others:
        yield from native_calls(part, places, goal, emissions)


def _windowed_calls(group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions) -> Calls:
    """One call by strips, or those of the parts where that does not pay."""
    from sardonyx.kernels.windowed.call import windowed_call

    kernels: dict[str, Text] = {**windowed()}

    def convolve(part: Group, at: Mapping[int, Place]) -> NativeCall:
        call, modules = contract_call(part, at, goal, emissions)
        kernels.update(modules)
        return call

    made = windowed_call(group, places, goal, emissions, convolve)
    if made is None:
        for part in group.parts:
            yield from native_calls(part, places, goal, emissions)
    else:
        yield made[0], {**kernels, **{name: partial(str, ir) for name, ir in made[1].items()}}


def contract_call(
    group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions
) -> tuple[NativeCall, Library]:
    """The call of a matrix product or convolution."""
    assert group.anchor is not None
    made = _product if group.anchor.prim in ("dot", "dot_blockwise") else _convolution
    call, modules, kernels = made(group, places, goal, emissions)
    kernels = {**kernels, **contraction(goal.tile(call.symbol.rpartition("_")[2]))}
    return call, {**kernels, **{name: partial(str, ir) for name, ir in modules.items()}}


def _product(
    group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions
) -> tuple[NativeCall, Mapping[str, str], Library]:
    """The call on matrix registers, by seven products or by vectors; the modules of its end, its kernels.

    Few rows may read short weights first.
    """
    from sardonyx.kernels.outliers.call import outlier_call
    from sardonyx.kernels.product.call import blockwise_call, dot_call
    from sardonyx.kernels.product.choose import chosen, chosen_blockwise
    from sardonyx.kernels.shallow.call import shallow_call, steps_of
    from sardonyx.kernels.short.call import short_call
    from sardonyx.kernels.short.choose import TWO_STREAMS
    from sardonyx.kernels.strassen.call import strassen_call

    anchor = group.anchor
    assert anchor is not None
    if anchor.prim == "dot_blockwise":
        bits = anchor.attrs["bits"]
        if anchor.attrs["points"] == "made":
            own = points(bits, goal.tile("i8"))
        else:
            tile = chosen_blockwise(anchor, goal)
            own = matrix_blockwise(bits, tile) if tile else blockwise(bits)
        return *blockwise_call(group, places, goal, emissions), own
    call, modules = dot_call(group, places, goal, emissions)
    if apart := outlier_call(call, anchor, goal):
        return apart, modules, outliers()
    if by_rows := shallow_call(call):
        return by_rows, modules, shallow(steps_of(by_rows))
    if by_seven := strassen_call(call, anchor, goal):
        call, kernels = by_seven, strassen()
    else:
        tile = chosen(anchor, goal)
        kernels = matrices(tile) if tile else {}
    if by_few := short_call(call, anchor, goal):
        features = [TWO_STREAMS] if goal.target.has(TWO_STREAMS) else []
        call, kernels = by_few, {**kernels, **short(*features)}
    return call, modules, kernels


def _convolution(
    group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions
) -> tuple[NativeCall, Mapping[str, str], Library]:
    """The call on matrix registers, by transforms or by vectors; the modules of its end, and its kernels."""
    from sardonyx.kernels.convolution.abreast import chosen as chosen_abreast
    from sardonyx.kernels.convolution.beside import together_of
    from sardonyx.kernels.convolution.call import conv_call
    from sardonyx.kernels.convolution.choose import chosen as chosen_band
    from sardonyx.kernels.convolution.choose import runs_forward
    from sardonyx.kernels.convolution.few import chosen as chosen_plain
    from sardonyx.kernels.convolution.grouped import few_channels
    from sardonyx.kernels.convolution.matrix import chosen as chosen_conv
    from sardonyx.kernels.convolution.outliers import OUTLIERS
    from sardonyx.kernels.convolution.tall import is_tall
    from sardonyx.kernels.convolution.taps import taps_of
    from sardonyx.kernels.winograd.beside import together_of as together_of_points
    from sardonyx.kernels.winograd.call import winograd_call
    from sardonyx.kernels.winograd.choose import chosen

    anchor = group.anchor
    assert anchor is not None
    x = anchor.args[0]
    if scheme := chosen(anchor, goal):
        together = together_of_points(anchor, scheme, goal)
        kernels = {**winograd(scheme), **(beside(together) if together > 1 else {})}
        return *winograd_call(group, places, goal, emissions, scheme), kernels
    if runs_forward(places[x.id]) and (band := chosen_band(anchor, goal)):
        rounded = x.dtype is not dt.F32
        own = halves_matrix_convolutions(band) if rounded else matrix_convolutions(band)
        parts = digits(band) if band.operand == "fixed24" else matrices(band)
        kernels = {**parts, **own}
        return *conv_call(group, places, goal, emissions, band), kernels
    if plain := chosen_plain(anchor, places[x.id], goal):
        kernels = {**matrices(plain), **plain_matrix_convolutions(plain)}
        return *conv_call(group, places, goal, emissions, plain), kernels
    if abreast := chosen_abreast(anchor, places[x.id], goal):
        kernels = {**digits(abreast), **plain_matrix_convolutions(abreast)}
        return *conv_call(group, places, goal, emissions, abreast), kernels
    few = few_channels(anchor, places[x.id], goal)
    registers = chosen_conv(anchor, goal)
    own = grouped(few) if few else matrices(registers) if registers else {}
    if taps := taps_of(anchor, places[x.id], goal):
        own = single(taps, goal.tile("i8"))
    elif not own and (together := together_of(anchor, goal)) > 1:
        own = beside(together)
    elif not own and is_tall(anchor, goal):
        own = tall()
    call, modules = conv_call(group, places, goal, emissions)
    return call, modules, outliers_convolutions() if call.symbol.startswith(f"sdx_conv_{OUTLIERS}") else own

"""What the transforms of samples ask for before they read it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.winograd import input_transform
from sardonyx.kernels.winograd.driver import define_winograd
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.llvm.vec import Module, V
from sardonyx.object import engine, executor
from sardonyx.runtime.image import LoadedImage
from tests.unit.kernels.convolution.test_conv import Case
from tests.unit.kernels.traced import FETCH, READ, Array, Log
from tests.unit.kernels.winograd.test_winograd import OF_FLOATS, OF_INTEGERS, TARGETS, Drawn, under
from tests.unit.objects import compiled, loaded


@cache
def _kernel(target: Target, scheme: Scheme) -> tuple[Log, LoadedImage]:
    """The kernel, and the log of the samples that it asks for and reads."""
    log, sample = Log(), input_transform._Writer._sample

    def traced(writer: Any, address: V) -> V:
        log.write(writer.f, address, READ)
        return sample(writer, address)

    module = Module()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_transform._Writer, "_sample", traced)
        patch.setattr(input_transform, "prefetch", lambda f, at, _level: log.write(f, at, FETCH))
        define_winograd(module, Goal(target), scheme)
        text = module.text()
    return log, loaded(
        [compiled(executor.ir(target), target), engine.compile_object(text, target, quick=True)], target
    )


def _events(target: Target, scheme: Scheme, l2_bytes: int) -> tuple[Array, Array]:
    """Lines of memory and what became of them, of a convolution over few lines of many pixels."""
    log, image = _kernel(target, scheme)
    size = scheme.outputs[0], 24 * scheme.outputs[1] * scheme.step
    drawn = Drawn(under(scheme, Case(40, 32, size)), scheme)
    drawn.kernels, drawn.l2_bytes = lambda _: image, l2_bytes
    drawn.run(target)
    return log.take()


@TARGETS
@OF_FLOATS
def test_the_next_tile_of_a_large_sample_is_on_its_way(target: Target, scheme: Scheme) -> None:
    lines, kinds = _events(target, scheme, 0)
    known, first = np.unique(lines, return_index=True)
    read = set(lines[kinds == READ].tolist())
    assert read.issuperset(lines[kinds == FETCH].tolist())
    assert (kinds[first] == FETCH).sum() > 0.7 * len(known)


@TARGETS
@OF_FLOATS
def test_nothing_is_asked_for_of_samples_that_stay_in_l2(target: Target, scheme: Scheme) -> None:
    assert not (_events(target, scheme, 1 << 20)[1] == FETCH).any()


@TARGETS
@OF_INTEGERS
def test_integers_are_not_asked_for(target: Target, scheme: Scheme) -> None:
    assert not (_events(target, scheme, 0)[1] == FETCH).any()

"""Which kernels compute the primitives that are algorithms of their own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import Calls

FAMILIES: Mapping[str, str] = {
    "col2im": "convolution.col2im:col2im_calls",
    "cumprod": "select.scan:scan_calls",
    "cumsum": "select.scan:scan_calls",
    "lookup": "select.lookup:lookup_calls",
    "lstm_quantized": "recurrent.call:recurrent_calls",
    "lstm": "recurrent.call:recurrent_calls",
    "det": "numeric.det:det_calls",
    "ends": "select.ends:ends_calls",
    "fft": "numeric.fft:fft_calls",
    "gru": "recurrent.call:recurrent_calls",
    "inverse": "numeric.inverse:inverse_calls",
    "max_roi_pool": "numeric.region:region_calls",
    "nms": "select.nms:nms_calls",
    "nonzero": "select.nonzero:nonzero_calls",
    "pairwise_coupling": "trees.coupling:coupling_calls",
    "random_key": "numeric.random_key:random_key_calls",
    "rnn": "recurrent.call:recurrent_calls",
    "roi_align": "numeric.region:region_calls",
    "spectra": "numeric.spectra:spectra_calls",
    "topk": "select.topk:topk_calls",
    "trees": "trees.call:trees_calls",
    "unique": "select.unique:unique_calls",
}
"""Module and function that make the calls of a primitive, by its name; imported when a model has it."""


def family(prim: str) -> Callable[[Group, Mapping[int, Place], Goal], Calls]:
    """What makes the calls of a primitive of `FAMILIES`."""
    module, _, name = FAMILIES[prim].partition(":")
    found: Callable[[Group, Mapping[int, Place], Goal], Calls]
    found = getattr(importlib.import_module(f"sardonyx.kernels.{module}"), name)
    return found


def opaque_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The calls that compute a group of kind "opaque", each with the IR modules it links to (by key)."""
    yield from family(group.root.prim)(group, places, goal)

"""Which kernels compute the primitives that are algorithms of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import NativeCall
from sardonyx.kernels.convolution.col2im import col2im_calls
from sardonyx.kernels.numeric.chance import chance_calls
from sardonyx.kernels.numeric.det import det_calls
from sardonyx.kernels.numeric.fft import fft_calls
from sardonyx.kernels.numeric.inverse import inverse_calls
from sardonyx.kernels.numeric.region import region_calls
from sardonyx.kernels.recurrent.call import recurrent_calls
from sardonyx.kernels.select.lookup import lookup_calls
from sardonyx.kernels.select.nms import nms_calls
from sardonyx.kernels.select.nonzero import nonzero_calls
from sardonyx.kernels.select.scan import scan_calls
from sardonyx.kernels.select.topk import topk_calls
from sardonyx.kernels.select.unique import unique_calls
from sardonyx.kernels.trees.call import trees_calls
from sardonyx.kernels.trees.coupling import coupling_calls

Calls = Iterator[tuple[NativeCall, Mapping[str, Callable[[], str]]]]

FAMILIES: Mapping[str, Callable[[Group, Mapping[int, Place], Goal], Calls]] = {
    "col2im": col2im_calls,
    "cumprod": scan_calls,
    "cumsum": scan_calls,
    "lookup": lookup_calls,
    "lstm_quantized": recurrent_calls,
    "lstm": recurrent_calls,
    "det": det_calls,
    "fft": fft_calls,
    "gru": recurrent_calls,
    "inverse": inverse_calls,
    "max_roi_pool": region_calls,
    "nms": nms_calls,
    "nonzero": nonzero_calls,
    "pairwise_coupling": coupling_calls,
    "random_key": chance_calls,
    "rnn": recurrent_calls,
    "roi_align": region_calls,
    "topk": topk_calls,
    "trees": trees_calls,
    "unique": unique_calls,
}
"""The calls that compute a primitive, by its name."""


def opaque_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The calls that compute a group of kind "opaque", each with the IR modules it links to (by key)."""
    yield from FAMILIES[group.root.prim](group, places, goal)

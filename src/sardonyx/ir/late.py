"""Primitives whose files are imported once a program needs them: the algorithms, and those of folders above.

Stands apart from the table, so that a start from the cache can name them without importing it.
"""

from __future__ import annotations

from collections.abc import Callable

_FAMILIES = {
    "blockwise": ("dot_blockwise",),
    "control": ("if", "loop", "scan", "native_if", "native_loop", "native_scan"),
    "dictionary": ("lookup", "zip_map", "vectorize_map", "cast_map"),
    "ends": ("ends",),
    "grams": ("text_grams",),
    "linalg": ("det", "inverse", "fft", "spectra"),
    "paths": ("time_warp", "token_branch"),
    "random": ("random_key",),
    "recurrent": ("lstm", "lstm_quantized", "gru", "rnn"),
    "region": ("col2im", "max_roi_pool", "roi_align"),
    "sequence": (
        *("sequence", "sequence_at", "sequence_insert", "sequence_erase", "sequence_length"),
        *("sequence_join", "sequence_split", "optional", "optional_has", "optional_get"),
    ),
    "sort": ("topk", "nonzero", "unique", "nms"),
    "svm": ("pairwise_coupling",),
    "text": (
        *("text_numbers", "text_join", "text_split", "text_normal", "text_case", "text_match"),
        *("to_text", "from_text"),
    ),
    "tokens": ("text_tokens", "text_hash"),
    "trees": ("trees",),
}
HOMES = {prim: f"sardonyx.ir.algorithms.{family}" for family, prims in _FAMILIES.items() for prim in prims}
"""By the name of an algorithm: the module that registers it."""
LOADERS: dict[str, Callable[[], object]] = {}
"""By the name of a primitive of a folder above: what registers it."""


def register_late(prim: str, load: Callable[[], object]) -> None:
    """Let `load` be called when a primitive that is not in the table is first asked for; it registers it."""
    LOADERS[prim] = load

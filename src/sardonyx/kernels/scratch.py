"""How much private memory contraction kernels take from a thread, and what for. Pure data."""

from __future__ import annotations

from sardonyx.base.target import Target

SUM_BYTES = 512 << 10
"""Sums of a product's tiles whose k range is cut."""

STRIP_BYTES = 96 << 10
"""Scores of attention that are worked on at a time; at least those of one tile of rows."""

CONV_SUM_BYTES = 512 << 10
"""Sums of a convolution's tiles whose taps are cut."""

ENTRY_WORDS = 3
"""i64 words of one entry of the table of a micro-kernel: byte offset of its A block, number of k steps, and
how many steps of B before it are left out."""

AGAIN_WORDS = 2
"""i64 words of what is added once more: an entry, and a step of it."""

MOST_ENTRIES = 2048
"""Entries of the tap table of one cut."""

TABLE_BYTES = 8 * ENTRY_WORDS * MOST_ENTRIES

TURNED_PITCH = 64
"""Pitch of a transposed strip: at least its pixels, and whole vectors."""

TURNED_BYTES = TURNED_PITCH * 256


PRODUCT_BYTES = SUM_BYTES + (64 << 10)
"""What the kernels of matrix products may use beside twice the second cache.

Its size is a word of a call: the text of a kernel serves CPUs with other caches.
"""


def product_bytes(target: Target) -> int:
    """Bytes that the kernels of matrix products may use, whatever the sizes."""
    return PRODUCT_BYTES + 2 * target.l2_bytes


def convolution_bytes() -> int:
    """Bytes that the kernels of convolutions may use, whatever the sizes."""
    return TABLE_BYTES + TURNED_BYTES + CONV_SUM_BYTES

"""The i64 words that one call of a contraction kernel reads. Pure data."""

from __future__ import annotations

from enum import IntEnum


class Gemm(IntEnum):
    """The argument words of `sdx_gemm_*` and `sdx_gemm_dynamic_*`; strides are in elements.

    C[b0, b1, m, n] = sum over k of A[b0, b1, m, k] * B[b0, b1, k, n]; a batch stride 0 broadcasts.
    `sdx_gemm_*` reads B as laid out by `pack_b` (batch strides count its elements) and ignores B_K and B_N.
    With an EPILOGUE (else 0) C and the words from FINISH on are not read; the epilogue's own words follow at
    EPILOGUE_WORDS, and it is called per tile with coords = [b0 * BATCH1 + b1, m, n].
    With FINISH = 1: C = min(max(sum + BIAS[n] + RESIDUAL[b0, b1, m, n], LOW), HIGH), where BIAS and RESIDUAL
    may be 0, LOW and HIGH are bits of the element type; NaN stays NaN.
    """

    A = 0
    B = 1
    C = 2
    EPILOGUE = 3
    BATCH0 = 4
    BATCH1 = 5
    A_BATCH0 = 6
    A_BATCH1 = 7
    B_BATCH0 = 8
    B_BATCH1 = 9
    C_BATCH0 = 10
    C_BATCH1 = 11
    M = 12
    N = 13
    K = 14
    A_M = 15
    A_K = 16
    B_K = 17
    B_N = 18
    C_M = 19
    FINISH = 20
    BIAS = 21
    LOW = 22
    HIGH = 23
    RESIDUAL = 24
    R_BATCH0 = 25
    R_BATCH1 = 26
    R_M = 27
    EPILOGUE_WORDS = 28


class Conv(IntEnum):
    """The argument words of `sdx_conv_*`; X_*, Y_* and R_* are strides in elements.

    One sum serves all dense convolutions: for output line i and pixel j of an image and a group,
    y[channel] = sum over taps (t0..t3) and steps s of x[i * X_LINE + j * X_PIXEL + sum of t * X_TAP + s] * w,
    with STEPS steps per tap, or LAST_STEPS where t0 is its last. Halos are physically present: X is the
    address that tap 0 of output (0, 0) reads.

    Blocked input, x[N][C/16][H][W][16]: the taps are (channel block, 1, kernel row, kernel column), the
    steps are the channels of a block. Plain input, x[N][C][H][W]: the taps are (channel, 1, kernel row, 1),
    the steps are kernel columns; or with dilated columns (channel, 1, kernel row, kernel column) and 1 step.
    Group g reads at (g / X_SHARE) * X_GROUP + (g % X_SHARE) * X_WITHIN: X_SHARE = 1, or the number of groups
    in one 16-channel block.

    Y with PLAIN = 0: 16-channel blocks Y_BLOCK apart, lines Y_LINE, pixels Y_PIXEL. The epilogue is called
    per block with coords = [image, block, line, pixel, lane] and 16 columns: all lanes of a block, also
    unused ones. With GROUPS > 1, CHANNELS must divide 16 or be a multiple of it.
    Y with PLAIN = 1: channels Y_CHANNEL apart; coords = [image, line, pixel, channel].
    CHANNELS counts the output channels of one group. BIAS is padded like the channels of Y. FINISH and the
    words after it are as for `Gemm`, with R_* in the role of Y_*.
    """

    X = 0
    W = 1
    Y = 2
    EPILOGUE = 3
    IMAGES = 4
    GROUPS = 5
    CHANNELS = 6
    LINES = 7
    PIXELS = 8
    TAPS0 = 9
    TAPS1 = 10
    TAPS2 = 11
    TAPS3 = 12
    STEPS = 13
    LAST_STEPS = 14
    X_IMAGE = 15
    X_GROUP = 16
    X_SHARE = 17
    X_WITHIN = 18
    X_LINE = 19
    X_PIXEL = 20
    X_TAP0 = 21
    X_TAP1 = 22
    X_TAP2 = 23
    X_TAP3 = 24
    PLAIN = 25
    Y_IMAGE = 26
    Y_BLOCK = 27
    Y_LINE = 28
    Y_PIXEL = 29
    Y_CHANNEL = 30
    FINISH = 31
    BIAS = 32
    LOW = 33
    HIGH = 34
    RESIDUAL = 35
    R_IMAGE = 36
    R_BLOCK = 37
    R_LINE = 38
    R_PIXEL = 39
    R_CHANNEL = 40
    EPILOGUE_WORDS = 41

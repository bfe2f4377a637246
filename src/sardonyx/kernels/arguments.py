"""The i64 words that one call of a contraction kernel reads. Pure data."""

from __future__ import annotations

from sardonyx.base.named import IntEnum

ROUNDED = 2
"""FINISH of a convolution whose results are rounded to bfloat16."""

GATED = 3
"""FINISH of a convolution whose results are multiplied by limits of themselves, as a hard swish is."""

LEAKY = 4
"""FINISH of a convolution whose results below 0 are multiplied by the slope of their channel."""


class Gemm(IntEnum):
    """The argument words of `sdx_gemm_*` and `sdx_gemm_dynamic_*`; strides are in elements.

    C[b0, b1, m, n] = sum over k of A[b0, b1, m, k] * B[b0, b1, k, n]; a batch stride 0 broadcasts.
    `sdx_gemm_*` reads B as laid out by `pack_b` (batch strides count its elements) and ignores B_K and B_N.
    With an EPILOGUE (else 0) the words from FINISH on are not read, and C, if not 0, is what the epilogue
    stores at the same places, so that it can be asked for; the epilogue's own words follow at EPILOGUE_WORDS,
    and it is called per tile with coords = [b0 * BATCH1 + b1, m, n].
    With FINISH = 1: C = min(max(sum + BIAS[n] + RESIDUAL[b0, b1, m, n], LOW), HIGH), where BIAS and RESIDUAL
    may be 0, LOW and HIGH are bits of the element type; NaN stays NaN.
    L2_BYTES is the size of the cache for which blocks are cut.
    For operands of `depth` elements a k step, K counts steps, strides of A its elements, which run on in
    whole steps (A_K = 1), and those of B and C sums.
    `sdx_gemm_blockwise*` reads B, SCALES and ZEROS as laid out by `pack_levels` and `pack_blocks`, with BLOCK
    steps of k a scale; ZEROS may be null, which stands for half of what levels may be. B has no batches. So
    does `sdx_gemm_points*`, which rounds A to points.
    `sdx_gemm_strassen_f32` also reads SUMS as laid out by `pack_sums`. From LEAST_ROWS rows on, and with
    LEAST_COLUMNS for each thread where threads share out columns, it works on PAIRS of rows, PANELS pairs of
    panels and STEPS of half of K at a time, rows of left operands PITCH apart; B has no batches and rows of A
    are contiguous. From TWICE_ROWS rows on its products are made by seven too, of TWICE_FOURS of rows,
    TWICE_PANELS fours of panels and TWICE_STEPS of a quarter of K at a time.
    `sdx_gemm_short_f32` reads SHORT as laid out by `pack_short` in the place of B, which has no batches; with
    more rows than it serves it calls MANY, a kernel that reads the same words.
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
    L2_BYTES = 28
    SCALES = 29
    ZEROS = 30
    BLOCK = 31
    SUMS = 32
    LEAST_ROWS = 33
    PAIRS = 34
    PANELS = 35
    STEPS = 36
    PITCH = 37
    LEAST_COLUMNS = 38
    TWICE_ROWS = 39
    TWICE_FOURS = 40
    TWICE_PANELS = 41
    TWICE_STEPS = 42
    SHORT = 43
    MANY = 44
    EPILOGUE_WORDS = 45


class Conv(IntEnum):
    """The argument words of `sdx_conv_*`; X_*, Y_* and R_* are strides in elements.

    One sum serves all dense convolutions: for output line i and pixel j of a sample and a group,
    y[channel] = sum over input channels, taps (t1, t2, t3) and steps s of
    x[channel part + i * X_LINE + j * X_PIXEL + sum of t * X_TAP + s] * w. Halos are physically present: X is
    the address that tap 0 of output (0, 0) of channel 0 reads.
    CHANNELS_IN and CHANNELS count the input and output channels of one group, of any size.

    Blocked input, x[N][C/16][H][W][16]: STEPS = 0 (the steps are the channels of a block), X_CHANNEL is the
    stride of blocks, taps = (1, kernel row, kernel column). Weights from `pack_conv_weights`.
    RUNS, if not null, says where the channels of a group lie instead, for operands of one element a k step:
    for each group MOST_RUNS + 1 pairs of words, the first lane of a run of channels in one block, and how
    many of the group's channels come before it; behind the last run no channel follows.
    Plain input, x[N][C][H][W]: X_CHANNEL is the stride of channels; STEPS = those of kernel columns and
    taps = (1, kernel row, 1), or with dilated columns STEPS = 1 and taps = (1, kernel row, kernel column).
    Weights from `pack_plain_weights`.
    AGAIN, where AGAIN_STEPS is not 0, says which steps of each group and panel are added once more, with
    weights that lie behind those of the panel: pairs of words, an entry of channel parts and taps, taps
    running faster, and a step of it.
    BESIDE, if not null, picks the micro-kernels of the last panel, of a few columns, whose weights are laid
    out by `pack_beside`. TALL, if not null, picks those of a group's only vector whose tiles have more rows
    than those of all vectors.
    `sdx_conv_outliers_*` reads W as laid out by `pack_unsigned`, and TOTALS by `column_totals`.

    PLAIN = 0: Y has 16-channel blocks Y_BLOCK apart, lines Y_LINE, pixels Y_PIXEL. The epilogue is called per
    block with coords = [sample, block, line, pixel, lane]; whole vectors of lanes, unused ones too, unless a
    group ends inside the block and another begins. Group g begins with channel g * GROUP_PITCH of Y, the
    CHANNELS of a group or more.
    PLAIN = 1: Y has channels Y_CHANNEL apart; coords = [sample, line, pixel, channel].
    PLAIN = 2: the same, but the epilogue gets the tile transposed, coords = [sample, line, channel, pixel].
    For operands of `depth` elements a k step, X_* count elements, columns of plain input are whole steps and
    not dilated, and where a group's share of a block is not whole steps, it is the last of the only group.
    BIAS is padded like the channels of Y. FINISH and the words after it are as for `Gemm`, with R_* in the
    role of Y_*, and L2_BYTES; FINISH may be ROUNDED if matrix registers multiply floats and PLAIN = 0. FLOATS
    tells that W holds floats where registers would read parts of them. ABREAST lines of plain input lie in a
    pixel of the band, if digits are multiplied. PANELS, if not 0, are all that is computed of
    the only group, from FIRST_PANEL on, or groups that are of the only sample. KEPT, if not null, has two
    words for who calls once for some panels after the other: whether the band of the call before serves, and
    whether it has what is infinite or NaN.
    NORM, if not null, is what blocks of channels are scaled by and shifted by, a vector each, before digits
    are made of them, and NORM_LOW the bits of what they then are at least; there is one group, and
    where windows have several taps shifts are 0. WRAP, if not 0, is how many pixels a line of results has
    where LINES = 1 and PIXELS are those of all lines, if matrix registers multiply floats; WRAP_PITCH tells
    how many a line of the input has.
    FINISH may be GATED where vectors multiply floats and PLAIN = 0. Tiles that are stored from registers are
    v * min(max(v * SLOPE + SHIFT, LOW), HIGH) * SCALE + OFFSET then, of v = sum + BIAS[channel] and bits of
    floats; what is not is given to an EPILOGUE that does the same. In the same places it may be LEAKY: v, or
    below 0 v * SLOPES[channel], which are padded as BIAS is.
    Where vectors multiply, row t of the window of line i meets line i * LINE_STEP + t * TAP_LINES - ABOVE of
    an image of HEIGHT lines, or what that is nobody knows if HEIGHT is 0. Beyond are zeros: a row that meets
    none of its lines from a tile is not read, and so need not be there. BEFORE, WIDTH, PIXEL_STEP and
    TAP_PIXELS say the same of columns. ALONE tells that two lines must not share a tile.
    """

    X = 0
    W = 1
    Y = 2
    EPILOGUE = 3
    BATCH = 4
    GROUPS = 5
    CHANNELS_IN = 6
    CHANNELS = 7
    LINES = 8
    PIXELS = 9
    STEPS = 10
    TAPS1 = 11
    TAPS2 = 12
    TAPS3 = 13
    X_BATCH = 14
    X_CHANNEL = 15
    X_LINE = 16
    X_PIXEL = 17
    X_TAP1 = 18
    X_TAP2 = 19
    X_TAP3 = 20
    PLAIN = 21
    Y_BATCH = 22
    Y_BLOCK = 23
    Y_LINE = 24
    Y_PIXEL = 25
    Y_CHANNEL = 26
    FINISH = 27
    BIAS = 28
    LOW = 29
    HIGH = 30
    RESIDUAL = 31
    R_BATCH = 32
    R_BLOCK = 33
    R_LINE = 34
    R_PIXEL = 35
    R_CHANNEL = 36
    L2_BYTES = 37
    RUNS = 38
    MOST_RUNS = 39
    GROUP_PITCH = 40
    FLOATS = 41
    ABREAST = 42
    FIRST_PANEL = 43
    PANELS = 44
    AGAIN = 45
    AGAIN_STEPS = 46
    KEPT = 47
    BESIDE = 48
    NORM = 49
    NORM_LOW = 50
    WRAP = 51
    TOTALS = 52
    WRAP_PITCH = 53
    SLOPE = 54
    SHIFT = 55
    SCALE = 56
    OFFSET = 57
    SLOPES = 58
    ABOVE = 59
    HEIGHT = 60
    LINE_STEP = 61
    TAP_LINES = 62
    BEFORE = 63
    WIDTH = 64
    PIXEL_STEP = 65
    TAP_PIXELS = 66
    ALONE = 67
    TALL = 68
    EPILOGUE_WORDS = 69


class Windowed(IntEnum):
    """The argument words of `sdx_windowed`: by strips, a convolution FIRST and a loop nest SECOND.

    Each gives or reads [block][line][pixel] of a sample, whole vectors of channels, in private memory from
    BUFFER bytes on, blocks BLOCK_BYTES and lines LINE_BYTES apart. A strip is STRIP lines of the result of
    SECOND, one of which reads REACH lines, STEP after those of the one before. FIRST computes HEIGHT lines of
    WIDTH_BYTES, and is told of some by COUNT_WORD, COUNT for each; ABOVE lines before these, LEFT_BYTES
    before and RIGHT_BYTES after each are FILL, and so are lines beyond. Threads share out strips of samples
    and, inside, panels of PANEL_BLOCKS blocks, or groups of as many, of which PANELS are in the buffer at a
    time. From COMMON bytes on lie the lines that the next strip reads too, of all blocks.
    From HEAD on stand FIRST_WORDS words for FIRST and SECOND_WORDS for SECOND, of which LINES_WORD and
    BLOCKS_WORD tell how many lines and blocks there are; each thread copies them to COPIES bytes of private
    memory. Then FIRST_SHIFTS and SECOND_SHIFTS blocks of `Shift`.
    """

    FIRST = 0
    SECOND = 1
    SAMPLES = 2
    BLOCKS = 3
    PANEL_BLOCKS = 4
    LINES = 5
    STRIP = 6
    STEP = 7
    REACH = 8
    HEIGHT = 9
    ABOVE = 10
    LINE_BYTES = 11
    BLOCK_BYTES = 12
    LEFT_BYTES = 13
    WIDTH_BYTES = 14
    RIGHT_BYTES = 15
    FILL = 16
    COPIES = 17
    BUFFER = 18
    WORK = 19
    FIRST_WORDS = 20
    SECOND_WORDS = 21
    LINES_WORD = 22
    BLOCKS_WORD = 23
    FIRST_SHIFTS = 24
    SECOND_SHIFTS = 25
    PANELS = 26
    COUNT_WORD = 27
    COUNT = 28
    COMMON = 29
    HEAD = 30


class Shift(IntEnum):
    """How an address among the words of a stage is displaced: which word, then bytes.

    One BUFFER is added if the address is in private memory; the others for each sample, block, line of the
    stage, and line of the buffer, of those with which the strip begins.
    """

    WORD = 0
    BUFFER = 1
    SAMPLE = 2
    BLOCK = 3
    LINE = 4
    ROW = 5
    WORDS = 6


class Winograd(IntEnum):
    """The argument words of `sdx_winograd_*`; X_*, Y_* and R_* are strides in elements.

    A convolution of windows of a `Scheme`, stride 1, of blocked samples x[N][C/16][H'][W'][16], as `Conv`
    says: X is what tap 0 of output (0, 0) reads, LINES x PIXELS the size of Y, X_BLOCK and Y_BLOCK are
    between blocks of 16 channels. The taps of a window are LINE_STEP lines and PIXEL_STEP pixels apart; the
    former is not read where a window has one line. W is laid out by `pack_winograd_weights`. TILES are
    transformed at a time, TILE_PITCH bytes apart with their points POINT_PITCH apart, and multiplied with
    PANELS panels of weights; threads that would have fewer than FEW_TILES share out panels. POWERS, if not
    null, is what digits of channels are multiplied by. Each of GROUPS has whole blocks of CHANNELS_IN
    channels, and whole panels of its part of CHANNELS. The end is as for `Conv` with PLAIN = 0 and one group;
    FINISH may be LEAKY, without an EPILOGUE. Of samples larger than L2_BYTES what is read next is asked for.
    BESIDE, if not null, picks the micro-kernels of the last vector of CHANNELS, whose weights are laid out by
    `pack_beside` and leave UNREAD_BYTES of each point.
    """

    X = 0
    W = 1
    Y = 2
    EPILOGUE = 3
    BATCH = 4
    CHANNELS_IN = 5
    CHANNELS = 6
    LINES = 7
    PIXELS = 8
    X_BATCH = 9
    X_BLOCK = 10
    X_LINE = 11
    X_PIXEL = 12
    Y_BATCH = 13
    Y_BLOCK = 14
    Y_LINE = 15
    Y_PIXEL = 16
    FINISH = 17
    BIAS = 18
    LOW = 19
    HIGH = 20
    RESIDUAL = 21
    R_BATCH = 22
    R_BLOCK = 23
    R_LINE = 24
    R_PIXEL = 25
    TILES = 26
    PANELS = 27
    TILE_PITCH = 28
    POINT_PITCH = 29
    FEW_TILES = 30
    LINE_STEP = 31
    PIXEL_STEP = 32
    POWERS = 33
    GROUPS = 34
    SLOPES = 35
    L2_BYTES = 36
    BESIDE = 37
    UNREAD_BYTES = 38
    EPILOGUE_WORDS = 39


class Attention(IntEnum):
    """The argument words of `sdx_attention_f32`; strides are in elements.

    Y[b0, b1, m, e] = sum over t of P[m, t] * V[b0, b1, t, e], where ROWS makes P, in place and whole rows at
    a time, of sum over d of Q[b0, b1, m, d] * K[b0, b1, d, t]. ROWS is called as an epilogue is, with its own
    words from EPILOGUE_WORDS on and coords = [n div S, n mod S, 0], n = (b0 * BATCH1 + b1) * M + m: the rows
    of a head may be those of some heads of S rows there. E is contiguous in Y.
    """

    Q = 0
    K = 1
    V = 2
    Y = 3
    ROWS = 4
    BATCH0 = 5
    BATCH1 = 6
    Q_BATCH0 = 7
    Q_BATCH1 = 8
    K_BATCH0 = 9
    K_BATCH1 = 10
    V_BATCH0 = 11
    V_BATCH1 = 12
    Y_BATCH0 = 13
    Y_BATCH1 = 14
    M = 15
    T = 16
    D = 17
    E = 18
    Q_M = 19
    Q_D = 20
    K_D = 21
    K_T = 22
    V_T = 23
    V_E = 24
    Y_M = 25
    L2_BYTES = 26
    S = 27
    EPILOGUE_WORDS = 28


class Moves(IntEnum):
    """The argument words of `sdx_move_*`: COUNT moves, one after the other from FIRST on, each as `Move`."""

    COUNT = 0
    FIRST = 1


class Move(IntEnum):
    """The words of one move; behind AXES those of `MoveAxis` for each of RANK axes, at least 2.

    FROM may be 0, which stands for the address of VALUE. The last axis is that of columns: it is contiguous
    where the move writes, if any axis is. The one before is that of rows.
    """

    FROM = 0
    VALUE = 1
    TO = 2
    RANK = 3
    AXES = 4


class MoveAxis(IntEnum):
    """The words of one axis of a move; steps are in bytes."""

    EXTENT = 0
    FROM_STEP = 1
    TO_STEP = 2
    WORDS = 3

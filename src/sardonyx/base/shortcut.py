"""Where the words are that a shortcut and its Python side share; see `object/shortcut.ll`.

Apart from those of `abi.py`, which every start reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from sardonyx.base.named import IntEnum


class Shortcut(IntEnum):
    """Words of a built-in function that runs a program without Python; see `object/shortcut.ll`.

    `DEFINITION` are the four of Python's PyMethodDef. `INTERPRETER` and `STATIONS` are the addresses of the
    words of `Interpreter` and of those that hold the addresses of `STATION_COUNT` blocks of `StationBlock`,
    `OTHERWISE` is the callable for all other arguments. There are `INPUTS` and `OUTPUTS`, at most
    `MOST_NAMES` of each. `ROWS` points at a table of rows, from `NAMES` on stand the names of outputs, and
    from `FEEDS` on of each input the name and numpy's type number.

    A table has the addresses of blocks of `BoundRow`, or 0: `ROW_WAYS` for each of `ROW_SETS`, which `set_of`
    the key of a row says.
    """

    DEFINITION = 0
    INTERPRETER = 4
    OTHERWISE = 5
    STATIONS = 6
    INPUTS = 7
    OUTPUTS = 8
    ROWS = 9
    NAMES = 10
    FEEDS = 42
    WORDS = 106


MOST_NAMES = Shortcut.FEEDS - Shortcut.NAMES
"""Inputs, outputs, and arrays that native code writes, of a program with a shortcut at most."""


class BoundRow(IntEnum):
    """Words of one segment for one set of sizes that a shortcut knows.

    The row of a first segment has in `BUSY` 1 during a run, and in `SERVED` how many were completed. A run
    holds the object at `OWNER` and executes `LAUNCH` (0: nothing) at a station, and keeps the interpreter
    lock if `HOLDS` is 1; or, if `TEAM` is not 0, calls that with the object at `ARGUMENT`, which gives None
    if all went well. Native code writes `MADE` arrays. Objects are the inputs and the arrays so far.

    Which row follows is decided by the numbers at `NUMBERS` (0: none, it is the last): how many, at most
    `MOST_NUMBERS`, and of each its object, how far behind the beginning of that it is, and its bytes; or -1
    and its address. `FOLLOWING` points at a table of rows.

    `KEY` is, of a first segment, of each input the number of its axes and their sizes; of others, the numbers
    that it follows. `ARRAYS`, `READS`, `RESULTS` and `LOOKUPS` point into what stands behind: of each array,
    dtype, number of axes, sizes and patches; of each object before these, patches; of each output, if it is
    the last, its place among the objects, or what makes it when called with all of these; and `LOOKED_UP`
    times `Lookup`. Patches are their number, and of each the address of a word and how far behind the
    array's beginning it points.
    """

    BUSY = 0
    OWNER = 1
    LAUNCH = 2
    HOLDS = 3
    TEAM = 4
    ARGUMENT = 5
    MADE = 6
    ARRAYS = 7
    READS = 8
    RESULTS = 9
    NUMBERS = 10
    FOLLOWING = 11
    SERVED = 12
    LOOKUPS = 13
    LOOKED_UP = 14
    KEY = 15


ROW_SETS, ROW_WAYS = 128, 4
"""Rows of a table: sizes of feeds, or values of what is computed or fed as numbers."""

HASH_FACTOR, HASH_SHIFT = 0x9E3779B97F4A7C15, 57
"""How the numbers of a key choose a set."""

MOST_NUMBERS = 32
"""Numbers that decide which row follows at most."""

MOST_SEGMENTS = 16
"""Segments of a program with a shortcut at most."""


class Lookup(IntEnum):
    """Words of texts that are fed: the input, the dictionary, how many texts, where numbers go.

    Without a dictionary they only must be texts.
    """

    INPUT = 0
    TABLE = 1
    COUNT = 2
    NUMBERS = 3
    WORDS = 4


def set_of(numbers: Iterable[int]) -> int:
    """Where the row of a key is looked for."""
    found = 0
    for number in numbers:
        found = ((found ^ number) * HASH_FACTOR) & ((1 << 64) - 1)
    return found >> HASH_SHIFT


class StationBlock(IntEnum):
    """Words of a station, where a thread runs alone: whether one does, its owner, the thread's context."""

    BUSY = 0
    OWNER = 1
    CONTEXT = 2
    WORDS = 3


STATION_COUNT = 4
"""Stations of a process. Who finds none free, because other threads are in native code, runs from Python."""


class Interpreter(IntEnum):
    """Words with the addresses of objects and C functions of Python and numpy."""

    NONE = 0
    DICT = 1
    LIST = 2
    TEXT = 3
    ARRAY = 4
    EXCEPTION = 5
    HOLD = 6
    LET_GO = 7
    FED = 8
    FEED_COUNT = 9
    NAME_COUNT = 10
    NAME = 11
    COMPARE = 12
    NEW_LIST = 13
    SET_ITEM = 14
    NEW_ARRAY = 15
    CALL = 16
    LEAVE = 17
    ENTER = 18
    FAILED = 19
    IS_RAISED = 20
    FORGET = 21
    NUMBER = 22
    TRUE = 23
    FALSE = 24
    WORDS = 25


class ObjectBytes(IntEnum):
    """Where objects of Python have their type, and numpy's arrays and dtypes what native code reads."""

    TYPE = 8
    DATA = 16
    AXES = 24
    SIZES = 32
    DTYPE = 56
    FLAGS = 64
    ORDER = 26
    NUMBER = 28

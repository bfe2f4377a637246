"""Where the words are that kernels, the executor and the Python side of a team share.

Every block is an array of 64-bit words; the enums below number them.
"""

from __future__ import annotations

import struct

from sardonyx.base.dtype import DType
from sardonyx.base.named import IntEnum

LINE_BYTES = 128
"""Words written by different threads are this far apart: two cache lines, which prefetch in pairs."""


class Record(IntEnum):
    """Words of one call in a program."""

    FUNCTION = 0
    ARGS = 1
    FLAGS = 2
    WORDS = 3


BARRIER_AFTER = 1
"""Flag of a record: all threads meet after the call."""

JUMP = 2
"""Flag of a record that calls nothing: its arguments are a condition and a distance.

If the condition is 0, or points at a byte that is 0, as many of the records that follow are skipped; a
negative distance goes back. The byte must be the same for all threads.
"""

IDLE = 4
"""Flag of a jump that all threads but the first take while that works alone; the condition is not read."""


BOOKKEEPING = frozenset({"sdx_alone", "sdx_barrier", "sdx_require", "sdx_together", "sdx_iterate"})
"""Functions of the executor that stand in records and compute nothing."""


class Context(IntEnum):
    """Words of a thread's context, the second argument of every kernel.

    Kernels read the first five. `CALL` is the index of the record being executed, `PROFILE` where to note
    ticks or 0. Three serve waking: whether the thread sleeps, the CPU it was last seen on (-1 if never), and
    the system's number of a worker thread. `ALONE` is the number of threads that come together again after
    what the first does alone, or 0. `RANDOM` is the address of the words of `RandomState`. `CLAIMS` counts
    the calls of this run whose work the threads claimed in shares; it is the same for all after each of them.
    `USUAL` is the number of threads of such runs when nothing keeps them apart: what changes bits goes by it.
    """

    TID = 0
    NTHREADS = 1
    BARRIER = 2
    SCRATCH = 3
    SCRATCH_BYTES = 4
    STATUS = 5
    CALL = 6
    PROFILE = 7
    ASLEEP = 8
    CPU = 9
    THREAD = 10
    ALONE = 11
    RANDOM = 12
    CLAIMS = 13
    USUAL = 14
    WORDS = 16


class RandomState(IntEnum):
    """Words of the process's random state: whether it was given a seed, and what the next key is made of."""

    SEEDED = 0
    STATE = 1
    WORDS = 2


class Status(IntEnum):
    """Words of a run's status; code 0 is success."""

    CODE = 0
    CALL = 1
    DETAIL0 = 2
    DETAIL1 = 3
    WORDS = 4


SIZES_FAILURE = 3
"""Status code of `sdx_require`: sizes that do not fit; detail 0 says which."""


class Iterate(IntEnum):
    """Words of `sdx_iterate`, which leads from one iteration of a loop to the next; the first thread does it.

    `COUNTER` points at the number of the iteration. `FLAGS` points at three bytes that are set: whether there
    is another iteration, the opposite, and the condition. The condition is the byte at `CONDITION`, or true;
    iterations are below `LIMIT` and the integer at `TRIPS`, if that is not 0. `FIRST` says that the loop
    begins.

    From `COPIES` on stand as many blocks of `COPY_WORDS` as `AFTER` and `BEFORE` say together: to, from,
    bytes, and the steps of both in each iteration. The first are copied at the end of an iteration (or
    before the loop), the others at the beginning of the next.
    """

    COUNTER = 0
    FLAGS = 1
    CONDITION = 2
    TRIPS = 3
    LIMIT = 4
    FIRST = 5
    AFTER = 6
    BEFORE = 7
    COPIES = 8


COPY_WORDS = 5


class Launch(IntEnum):
    """Words that say what one run executes.

    The profile is the address of (busy, waiting) ticks by thread and call, which are added to, or 0. The
    spin is how many microseconds the threads then look for the next run before they sleep.
    """

    EXECUTE = 0
    RECORDS = 1
    COUNT = 2
    NTHREADS = 3
    PROFILE = 4
    SPIN_US = 5
    FLUSH_DENORMALS = 6
    WORDS = 7


class TeamBlock(IntEnum):
    """Words of a team, its status first. A context takes one line, a mailbox two, a barrier four."""

    STATUS = 0
    SIZE = 4
    CONTEXTS = 5
    MAILBOXES = 6
    CPUS = 7
    TICKS_PER_US = 8
    WORDS = 16


LONG_WORK = 1 << 24
"""Elementary operations for each thread from which shares are claimed: some tenths of a millisecond."""

UNITS = 8
"""Into so many units for each thread is work cut that is claimed."""

FIRST = UNITS // 2
"""Units of the share that each thread claims first; the other shares are units."""


class Share(IntEnum):
    """Words of a thread's share of a call: its first unit and the one after its last; how the work is cut.

    That is for `THREADS` threads into `COUNT` shares, the first of which are `MORE` units longer than one.
    """

    BEGIN = 0
    END = 1
    THREADS = 2
    COUNT = 3
    MORE = 4
    WORDS = 5


class Barrier(IntEnum):
    """Words of a barrier: arrivals; on the next line epoch, status seen, sleepers; how to wait; the claims.

    After `SPINS` turns threads sleep: `SYSCALL` is the address of the C library's `syscall` and `FUTEX` the
    number to call it with, or 0 where they cannot sleep in native code and call `YIELD` instead. Workers are
    woken on CPUs apart if there is room: `ALLOWED` is the mask of the CPUs that the caller may use.
    `CLAIMED` tells how many shares of a call were claimed, and from bit 32 on of which; see `Context.CLAIMS`.
    """

    ARRIVED = 0
    EPOCH = 16
    VERDICT = 17
    SLEEPERS = 18
    SPINS = 32
    YIELD = 33
    SYSCALL = 34
    FUTEX = 35
    ROOMY = 36
    GET_CPU = 37
    GET_AFFINITY = 38
    SET_AFFINITY = 39
    ALLOWED_BYTES = 40
    ALLOWED = 48
    CLAIMED = 64
    WORDS = 80


class Mailbox(IntEnum):
    """Words of a mailbox: on the first line the run that a worker has to do, on the next its answer.

    `DONE` is the epoch of its last run; `SLEEPERS` counts callers that sleep until it changes.
    """

    EPOCH = 0
    EXECUTE = 1
    RECORDS = 2
    COUNT = 3
    NTHREADS = 4
    PROFILE = 5
    SPIN_US = 6
    FLUSH_DENORMALS = 7
    DONE = 16
    PARKED = 17
    SLEEPERS = 18
    WORDS = 32


class Bits(int):
    """The bits of a number."""


def number_bits(number: float, dtype: DType) -> Bits:
    """The bits of a number as an argument word; an integer without bounds is bounded by its type."""
    if dtype.is_int:
        most = (1 << dtype.bits - 1) - 1
        return Bits(min(max(number, -most - 1), most))
    return Bits.from_bytes(struct.pack("<f" if dtype.bits == 32 else "<d", number), "little", signed=True)

"""Where the words are that kernels, the executor and the Python side of a team share. Pure data.

Every block is an array of 64-bit words; the enums below number them.
"""

from __future__ import annotations

from enum import IntEnum

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


class Context(IntEnum):
    """Words of a thread's context, the second argument of every kernel."""

    TID = 0
    NTHREADS = 1
    BARRIER = 2
    SCRATCH = 3
    SCRATCH_BYTES = 4
    STATUS = 5
    CALL = 6
    PROFILE = 7
    CPU = 8
    WORDS = 16


class Status(IntEnum):
    """Words of a run's status; code 0 is success."""

    CODE = 0
    CALL = 1
    DETAIL0 = 2
    DETAIL1 = 3
    WORDS = 4


class Launch(IntEnum):
    """Words that say what one run executes.

    The profile is the address of (start, end) ticks by thread and call, or 0. The spin is how many
    microseconds the threads then look for the next run before they sleep.
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
    """Words of a team, its status first. A context takes one line, a mailbox two, a barrier three."""

    STATUS = 0
    SIZE = 4
    CONTEXTS = 5
    MAILBOXES = 6
    CPUS = 7
    TICKS_PER_US = 8
    WORDS = 16


class Barrier(IntEnum):
    """Words of a barrier: arrivals; on the next line the epoch and the status seen; then how to wait.

    `SYSCALL` is the address of the C library's `syscall` and `FUTEX` the number to call it with, or 0 where
    threads cannot sleep in native code and call `YIELD` instead.
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
    WORDS = 48


class Mailbox(IntEnum):
    """Words of a mailbox: what the caller writes, then on the next line what the worker writes."""

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

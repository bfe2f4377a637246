"""IR of the runtime functions: run a list of calls on a team of threads, meet at barriers, report errors.

The functions are written in executor.ll, and what is the machine's own of them in a file that its target
names; their memory layout is that of `base.abi`. Must not know any kernel or model. The text depends only on
the target and the system's calling convention.

    sdx_execute(ptr records, i64 n, ptr ctx)     every record's fn(args, ctx), barriers and jumps as flags ask
    sdx_barrier(ptr ctx)                         all threads of the run meet; nothing for a single thread
    sdx_shares(i64 threads, i64 work, i64 most, ptr share) -> i64
                                                 cut a call's work; see abi.Share
    sdx_share(ptr ctx, ptr share, i64 begins) -> i64
                                                 this thread's next share; 0 if there is none
    sdx_claim(ptr ctx, i64 begins) -> i64        the number of the next share that is claimed
    sdx_fail(ptr ctx, i64 code, i64 d0, i64 d1)  note an error; the first one of a run is kept
    sdx_alone, sdx_together(ptr args, ptr ctx)   calls between which the first thread may work alone
    sdx_iterate(ptr args, ptr ctx)                  a call between two iterations of a loop, see abi.Iterate
    sdx_require(ptr args, ptr ctx)               a call that fails with the word it is given, unless that is 0
    sdx_launch(ptr launch, ptr team) -> i64      from Python: run on the team, this thread is number 0
    sdx_publish, sdx_join                        the halves of sdx_launch, for teams woken by Python
    sdx_solo(ptr launch, ptr ctx) -> i64         from Python: run on this thread alone
    sdx_worker(ptr mailbox, ptr ctx, ptr team) -> i64
                                                 from Python: serve runs; 0 to end the thread, 1 to park it
    sdx_stop(ptr team)                           from Python: let every worker end
    sdx_ticks() -> i64                           the clock used for spinning and profiles

A run stops early, on all threads alike, at the first barrier after an error: the last thread to arrive reads
the status and publishes what it saw together with the barrier's opening.
"""

from __future__ import annotations

import sys
from pathlib import Path
from string import Template

from sardonyx.base.abi import (
    BARRIER_AFTER,
    COPY_WORDS,
    FIRST,
    IDLE,
    JUMP,
    LONG_WORK,
    SIZES_FAILURE,
    UNITS,
    Barrier,
    Context,
    Iterate,
    Launch,
    Mailbox,
    Share,
    Status,
    TeamBlock,
)
from sardonyx.base.named import IntEnum
from sardonyx.base.target import Target
from sardonyx.errors import CompileError

_FUTEX_WAIT_PRIVATE, _FUTEX_WAKE_PRIVATE = 128, 129
_BARRIER_SPINS = 4096
_CPU_BITS = 1024
_CROWDED_SPINS = 64


def ir(target: Target) -> str:
    """The module of the runtime functions for a target."""
    if target.executor is None:
        raise CompileError(f"{target.name} executes no native code")
    files = (Path(__file__).with_name("executor.ll"), Path(target.executor))
    return Template("\n".join(file.read_text(encoding="utf-8") for file in files)).substitute(
        indices(Context, Status, Launch, TeamBlock, Barrier, Mailbox, Iterate, Share),
        barrier_flag=str(BARRIER_AFTER),
        jump_flag=str(JUMP),
        workers_flag=str(IDLE),
        copy_words=str(COPY_WORDS),
        long_work=str(LONG_WORK),
        share_units=str(UNITS),
        share_joined=str(FIRST - 1),
        failure_sizes=str(SIZES_FAILURE),
        barrier_turns=str(_BARRIER_SPINS),
        crowded_turns=str(_CROWDED_SPINS),
        cpu_bits=str(_CPU_BITS),
        cpu_bytes=str(_CPU_BITS // 8),
        cpu_words=str(_CPU_BITS // 64),
        futex_wait=str(_FUTEX_WAIT_PRIVATE),
        futex_wake=str(_FUTEX_WAKE_PRIVATE),
        host=convention(target),
    )


def indices(*blocks: type[IntEnum]) -> dict[str, str]:
    """What stands in texts for the words of blocks."""
    return {
        f"{block.__name__.lower()}_{word.name.lower()}": str(word.value) for block in blocks for word in block
    }


def convention(target: Target) -> str:
    """LLVM's name of how C functions of this system are called."""
    return target.windows_convention if sys.platform == "win32" else "ccc"

"""Programs on a team of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from sardonyx.base.abi import IDLE, JUMP, Context, Mailbox, Record
from sardonyx.runtime import team as module
from sardonyx.runtime.allocate import aligned_bytes, aligned_words
from sardonyx.runtime.image import LoadedImage
from sardonyx.runtime.team import Failure, Team
from tests.unit.runtime.native import Array, Program, build


@pytest.fixture(scope="module")
def image() -> LoadedImage:
    return build()


@pytest.fixture(params=[True, False], ids=["futex", "portable"])
def pair(image: LoadedImage, request: pytest.FixtureRequest) -> Iterator[Team]:
    """Two threads, parking in each of the two ways."""
    team = Team(image, 2, futex=request.param)
    yield team
    team.close()


def parked(team: Team, tid: int = 1) -> bool:
    """Whether a thread goes to sleep within a second."""
    end = time.monotonic() + 1.0
    while not team._crew.mailboxes[tid, Mailbox.PARKED] and time.monotonic() < end:
        time.sleep(0.0005)
    return bool(team._crew.mailboxes[tid, Mailbox.PARKED])


def test_runs_alone_and_together(pair: Team, image: LoadedImage) -> None:
    counts = np.zeros(2, np.int64)
    program = Program(image, *[("count", [counts])] * 3, barriers=True)
    for launch, expected in [
        (program.launch(1), [3, 0]),
        (program.launch(1, hold_gil=True), [3, 0]),
        (program.launch(2), [6, 6]),
        (program.launch(64), [6, 6]),
    ]:
        counts[:] = 0
        assert pair.run(launch) is None
        assert counts.tolist() == expected


def test_an_empty_program_is_no_work(pair: Team, image: LoadedImage) -> None:
    program = Program(image)
    assert pair.run(program.launch(1)) is None
    assert pair.run(program.launch(2)) is None


@pytest.mark.parametrize("times", [5_000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_barriers_order_memory(pair: Team, image: LoadedImage, times: int) -> None:
    slots = aligned_words(16)
    program = Program(image, ("exchange", [slots, times]))
    assert pair.run(program.launch(2)) is None
    assert pair.run(program.launch(1)) is None


def test_more_threads_than_cores_still_meet(image: LoadedImage) -> None:
    team = Team(image)
    slots = aligned_words(16)
    program = Program(image, ("exchange", [slots, 200]))
    for threads in (5, 2, 3, 1, 4, 5):
        assert team.run(program.launch(threads)) is None
    team.close()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("who", [0, 1])
def test_a_failure_stops_the_run_at_the_next_barrier(
    pair: Team, image: LoadedImage, threads: int, who: int
) -> None:
    counts = np.zeros(2, np.int64)
    program = Program(
        image,
        ("count", [counts]),
        ("fail", [who, 12]),
        ("count", [counts]),
        ("count", [counts]),
        barriers=True,
    )
    launch = program.launch(threads)
    raised = who < threads
    for _ in range(200):
        counts[:] = 0
        assert pair.run(launch) == (Failure(12, 1, who, -5) if raised else None)
        assert counts[:threads].tolist() == [threads if raised else 3 * threads] * threads


def test_a_failure_does_not_outlive_its_run(pair: Team, image: LoadedImage) -> None:
    bad, good = (
        Program(image, ("fail", [0, 3]), barriers=True),
        Program(image, ("fail", [9, 3]), barriers=True),
    )
    for threads in (1, 2):
        for _ in range(3):
            assert pair.run(bad.launch(threads)) == Failure(3, 0, 0, -5)
            assert pair.run(good.launch(threads)) is None


def test_scratch_is_private_aligned_and_grows(pair: Team, image: LoadedImage) -> None:
    out = np.zeros((2, 2), np.int64)
    program = Program(image, ("scratch", [out]))
    for size in (0, 100, 1 << 20, 4096):
        out[:] = 0
        assert pair.run(program.launch(2, size)) is None
        assert (out[:, 1] >= size).all()
        assert size == 0 or ((out[:, 0] % 64 == 0).all() and abs(out[0, 0] - out[1, 0]) >= size)
        out[:] = 0
        assert pair.run(program.launch(1, size)) is None
        assert out[0, 1] >= size


@pytest.mark.parametrize("threads", [1, 2])
def test_denormals_are_zeros_only_if_asked(pair: Team, image: LoadedImage, threads: int) -> None:
    least = np.finfo(np.float32).smallest_normal
    halves = np.zeros(2, np.float32)
    program = Program(image, ("halve", [halves]))
    for flush, expected in [(False, least / 2), (True, 0.0), (False, least / 2)]:
        halves[:] = least
        assert pair.run(program.launch(threads, flush_denormals=flush)) is None
        assert (halves[:threads] == expected).all()
        assert least * np.float32(0.5) != 0


def test_an_idle_thread_parks_and_wakes(pair: Team, image: LoadedImage) -> None:
    counts = np.zeros(2, np.int64)
    launch = Program(image, ("count", [counts])).launch(2)
    for run in range(1, 21):
        assert pair.run(launch) is None
        assert counts.tolist() == [2 * run, 2 * run]
        assert parked(pair)


@pytest.mark.skipif(module.cores.usable_cpus() < 2, reason="one CPU")
def test_a_woken_thread_keeps_off_the_callers_cpu(image: LoadedImage) -> None:
    team = Team(image)
    if team._crew.portable:
        pytest.skip("threads do not sleep in native code here")
    launch = Program(image, ("spin", [1000]), barriers=True).launch(2)
    before = os.sched_getaffinity(0)
    for _ in range(20):
        assert team.run(launch) is None
        assert parked(team)
    caller, worker = team._crew.contexts[:2, Context.CPU]
    assert {caller, worker} <= before
    assert caller != worker
    assert os.sched_getaffinity(0) == before
    team.close()


def test_wakes_at_every_moment_of_falling_asleep(pair: Team, image: LoadedImage) -> None:
    counts = np.zeros(2, np.int64)
    launch = Program(image, ("count", [counts])).launch(2)
    for run in range(300):
        end = time.perf_counter_ns() + run * 700
        while time.perf_counter_ns() < end:
            pass
        assert pair.run(launch) is None
    assert counts.tolist() == [600, 600]


def test_python_threads_share_the_team(pair: Team, image: LoadedImage) -> None:
    failures: list[object] = []

    def work(seed: int) -> None:
        counts, slots = np.zeros(2, np.int64), aligned_words(16)
        program = Program(
            image, ("count", [counts]), ("exchange", [slots, 5]), ("count", [counts]), barriers=True
        )
        launch = program.launch(1 + seed % 4 % 3, scratch_bytes=4096 * seed)
        for _ in range(400):
            counts[:] = 0
            if (failure := pair.run(launch)) or counts.tolist() not in ([4, 4], [2, 0]):
                failures.append((failure, counts.tolist()))

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


@pytest.mark.parametrize(("alone", "left"), [(1, 2), (2, 1), (5, 1)])
def test_runs_alone_take_threads_from_those_that_share(image: LoadedImage, alone: int, left: int) -> None:
    """A thread that waits for its core holds up the others of its run."""
    team = Team(image, 3)
    long = [Program(image, ("spin", [1_000_000_000])).launch(3) for _ in range(alone)]
    runs = [threading.Thread(target=team.run, args=(launch,)) for launch in long]
    counts = np.zeros(3, np.int64)
    launch = Program(image, ("count", [counts])).launch(3)
    with team._crew.lock:
        for run in runs:
            run.start()
        while len(team._lone) < alone:
            time.sleep(0.001)
    assert team.run(launch) is None
    assert counts.tolist() == [left] * left + [0] * (3 - left)
    for run in runs:
        run.join()
    counts[:] = 0
    assert team.run(launch) is None
    assert counts.tolist() == [3, 3, 3]
    team.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_other_python_threads_go_on_during_a_run(pair: Team, image: LoadedImage, threads: int) -> None:
    launch = Program(image, ("spin", [100_000_000])).launch(threads)
    seen: list[float] = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            seen.append(time.perf_counter())
            time.sleep(0.0005)

    ticker = threading.Thread(target=tick)
    ticker.start()
    begin = time.perf_counter()
    assert pair.run(launch) is None
    end = time.perf_counter()
    stop.set()
    ticker.join()
    assert sum(begin < at < end for at in seen) >= 2


def test_a_profile_times_each_call_on_each_thread(pair: Team, image: LoadedImage) -> None:
    program = Program(image, ("spin", [2_000_000]), ("spin", [100]), ("spin", [1_000_000]), barriers=True)
    launch = program.launch(2)
    begin = time.perf_counter_ns()
    failure, profile = pair.profile(launch)
    elapsed = time.perf_counter_ns() - begin
    assert failure is None
    assert profile.busy_ns.shape == profile.wait_ns.shape == (2, 3)
    assert (profile.busy_ns[:, [0, 2]] > 10_000).all()
    assert (profile.busy_ns[:, 1] < profile.busy_ns[:, 0]).all()
    assert (profile.busy_ns.sum(1) + profile.wait_ns.sum(1) <= elapsed * 1.01).all()
    assert pair.run(launch) is None


def test_a_closed_team_runs_on_the_caller(image: LoadedImage) -> None:
    team = Team(image, 2)
    counts = np.zeros(2, np.int64)
    launch = Program(image, ("count", [counts])).launch(2)
    team.run(launch)
    threads = list(team._crew.threads)
    team.close()
    team.close()
    assert not any(thread.is_alive() for thread in threads)
    counts[:] = 0
    assert team.run(launch) is None
    assert counts.tolist() == [1, 0]


def test_a_forgotten_team_ends_its_threads(image: LoadedImage) -> None:
    team = Team(image, 2)
    launch = Program(image, ("spin", [1])).launch(2)
    team.run(launch)
    threads = list(team._crew.threads)
    del team
    for thread in threads:
        thread.join(2.0)
        assert not thread.is_alive()


def test_the_process_has_one_team(image: LoadedImage) -> None:
    assert module.shared(image) is module.shared(image)


def test_memory_is_aligned() -> None:
    assert all(aligned_bytes(size, 4096).ctypes.data % 4096 == 0 for size in (1, 64, 5000))
    words = aligned_words(3)
    assert words.tolist() == [0, 0, 0]
    assert words.ctypes.data % 128 == 0


SCRIPT = """
import sys
sys.path[:] = {path!r}
import os, warnings, threading, time
warnings.simplefilter("ignore")
import numpy as np
from sardonyx.runtime import team as module
from tests.unit.runtime.native import Array, Program, build
image = build()
team = module.Team(image, 2)
module._shared = team
counts = np.zeros(2, np.int64)
program = Program(image, ("count", [counts]))
launch = program.launch(2)
assert team.run(launch) is None
"""
FORK = """
team._crew.lock.acquire()
child = os.fork()
if child == 0:
    counts[:] = 0
    ok = module.shared(image) is team and team.run(launch) is None and counts.tolist() == [2, 2]
    grandchild = os.fork()
    if grandchild == 0:
        os._exit(0 if team.run(launch) is None and counts.tolist() == [4, 4] else 1)
    os._exit(0 if ok and os.waitpid(grandchild, 0)[1] == 0 else 1)
assert os.waitpid(child, 0)[1] == 0
team._crew.lock.release()
counts[:] = 0
assert team.run(launch) is None and counts.tolist() == [2, 2]
"""
EXIT_WHILE_SPINNING = """
more = program.launch(2, spin_us=1 << 20)
for _ in range(100): team.run(more)
"""
EXIT_DURING_A_RUN = """
spin = Program(image, ("spin", [1 << 62])).launch(2)
threading.Thread(target=team.run, args=(spin,), daemon=True).start()
time.sleep(0.05)
"""


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(FORK, marks=pytest.mark.skipif(sys.platform == "win32", reason="no fork"), id="fork"),
        pytest.param(EXIT_WHILE_SPINNING, id="spinning"),
        pytest.param(EXIT_DURING_A_RUN, id="running"),
    ],
)
def test_processes_fork_and_end_cleanly(end: str) -> None:
    code = SCRIPT.format(path=[*sys.path, "."]) + end
    done = subprocess.run([sys.executable, "-c", code], timeout=120, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("threads", [1, 2])
def test_jumps_skip_calls_where_a_byte_is_zero(pair: Team, image: LoadedImage, threads: int) -> None:
    counts, condition = np.zeros(2, np.int64), np.zeros(1, np.int8)
    jump = ("sdx_barrier", [condition, 2])
    program = Program(image, ("count", [counts]), jump, ("count", [counts]), ("count", [counts]))
    program.records[1, Record.FLAGS] = JUMP
    for byte, expected in ((0, 1), (1, 3), (255, 3)):
        counts[:], condition[:] = 0, np.array(byte).astype(np.int8)
        assert pair.run(program.launch(threads)) is None
        assert counts[0] == expected * threads


@pytest.mark.parametrize("threads", [1, 2])
def test_a_turn_counts_iterations_and_moves_rows(pair: Team, image: LoadedImage, threads: int) -> None:
    counter, flags, trips = np.zeros(1, np.int64), np.zeros(8, np.int8), np.array([5])
    rows, row, copies = np.arange(500, dtype=np.int16), np.zeros(100, np.int16), np.zeros((5, 100), np.int16)
    counts, more, done = np.zeros(2, np.int64), flags[:1], flags[1:2]
    fetch: list[int | Array] = [row, rows, 200, 0, 200]
    keep: list[int | Array] = [copies, row, 200, 200, 0]
    program = Program(
        image,
        ("sdx_iterate", [counter, flags, 0, trips, 1 << 62, 1, 0, 1, *fetch]),
        ("sdx_barrier", [more, 3]),
        ("count", [counts]),
        ("sdx_iterate", [counter, flags, 0, trips, 1 << 62, 0, 1, 1, *keep, *fetch]),
        ("sdx_barrier", [done, -3]),
        barriers=True,
    )
    program.records[[1, 4], Record.FLAGS] |= JUMP
    for number in (5, 1, 0, 3):
        counts[:], copies[:], trips[:] = 0, 0, number
        assert pair.run(program.launch(threads)) is None
        assert counts[0] == number * threads
        np.testing.assert_array_equal(copies[:number], rows.reshape(5, 100)[:number])
        assert not copies[number:].any()


@pytest.mark.parametrize("fails", [False, True])
def test_the_first_thread_works_alone_on_little(pair: Team, image: LoadedImage, fails: bool) -> None:
    alone, shared = np.zeros(2, np.int64), np.zeros(2, np.int64)
    program = Program(
        image,
        ("sdx_alone", [10, 20]),
        ("sdx_barrier", [0, 3]),
        ("count", [alone]),
        ("sdx_require", [int(fails)]),
        ("count", [alone]),
        ("sdx_together", []),
        ("count", [shared]),
        barriers=True,
    )
    program.records[0, Record.FLAGS] = 0
    program.records[1, Record.FLAGS] = JUMP | IDLE
    for work, threads, expected in ((10, 2, 1), (10, 1, 1), (30, 2, 2)):
        for _ in range(20):
            alone[:], shared[:] = 0, 0
            program._args[0][0][0] = work
            failure = pair.run(program.launch(threads))
            assert (failure is not None) == fails
            assert alone[0] == (1 if fails else 2) * expected
            assert shared[0] == (0 if fails else threads)

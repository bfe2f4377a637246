"""Runs the tests of one collection in several processes, which are forked from the one that collected.

Decides who runs what; must not know what is tested. Modules are imported and tests are made once. A process
takes some of a file's tests in turn, so that these share what their module makes. Where one dies, the test it
ran has failed, and another goes on behind it.
"""

from __future__ import annotations

import atexit
import os
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from signal import SIGTERM, Signals

import pytest

MOST_TESTS = 100
"""How many tests of a file a process takes at once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forks", type=_count, default=1, help="processes that share the tests: a number, or auto"
    )


def pytest_configure(config: pytest.Config) -> None:
    count = config.getoption("forks")
    if count > 1:
        config.pluginmanager.register(Forks(config, count))


def _count(text: str) -> int:
    """Half as many processes again as there are cores, at most 8: tests wait for servers that they start."""
    if text != "auto":
        return int(text)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, cores + (cores + 1) // 2)


@dataclass
class Process:
    """One that runs tests: its reports come out of a pipe, and some tests are taken and not finished."""

    pid: int
    reports: Connection
    left: deque[pytest.Item]
    status: int | None = None

    def has_ended(self) -> bool:
        """Whether it runs no more; its status is known then."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def end(self) -> None:
        """End it if it still runs."""
        if not self.has_ended():
            os.kill(self.pid, SIGTERM)
            self.status = os.waitpid(self.pid, 0)[1]

    def told(self) -> str:
        """How it ended."""
        code = os.waitstatus_to_exitcode(self.status or 0)
        return f"process {self.pid} ended with {Signals(-code).name if code < 0 else f'exit code {code}'}"


class Forks:
    """Collects and reports, while processes run all tests."""

    def __init__(self, config: pytest.Config, count: int) -> None:
        self._config, self._count = config, count
        self._shares: list[list[pytest.Item]] = []
        self._turns = -1
        self._processes: list[Process] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed or self._config.option.collectonly:
            return None
        for _, tests in groupby(session.items, lambda item: item.path):
            of_file = list(tests)
            self._shares += [of_file[at : at + MOST_TESTS] for at in range(0, len(of_file), MOST_TESTS)]
        self._turns, numbers = os.pipe()
        os.write(numbers, b"".join(number.to_bytes(4, "little") for number in range(len(self._shares))))
        os.close(numbers)
        try:
            for _ in range(min(self._count, len(self._shares))):
                self._fork([])
            while self._processes:
                wait([process.reports for process in self._processes], timeout=1)
                for process in self._processes.copy():
                    self._attend(process)
                    if session.shouldfail:
                        raise session.Failed(session.shouldfail)
        finally:
            os.close(self._turns)
            for process in self._processes:
                process.end()
        return True

    def _attend(self, process: Process) -> None:
        """Report what a process has sent, and put another in its place if it died."""
        has_ended = process.has_ended()
        with suppress(EOFError):
            while process.reports.poll():
                sent = process.reports.recv()
                if isinstance(sent, int):
                    process.left += self._shares[sent]
                else:
                    self._report(process.left.popleft(), sent)
        if has_ended:
            process.reports.close()
            self._processes.remove(process)
            if process.left:
                item = process.left.popleft()
                report = pytest.TestReport(item.nodeid, item.location, {}, "failed", process.told(), "call")
                self._report(item, [_as_data(self._config, report)])
                self._fork(process.left)
            elif process.status:
                raise RuntimeError(f"behind its last test {process.told()}")

    def _report(self, item: pytest.Item, reports: list[dict[str, object]]) -> None:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for data in reports:
            report = self._config.hook.pytest_report_from_serializable(config=self._config, data=data)
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _fork(self, left: Sequence[pytest.Item]) -> None:
        """Begin a process, with tests that another has left."""
        folder = self._config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        receiving, sending = Pipe(duplex=False)
        if pid := os.fork():
            sending.close()
            self._processes.append(Process(pid, receiving, deque(left)))
            return
        code = 1
        try:
            receiving.close()
            self._have_own(folder / f"process-{os.getpid()}")
            self._run(left, sending)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _have_own(self, folder: Path) -> None:
        """Have what a forked process must not share: no terminal, a file of captured output, a folder."""
        plugins = self._config.pluginmanager
        plugins.unregister(plugins.get_plugin("terminalreporter"))
        capture = plugins.get_plugin("capturemanager")
        capture.stop_global_capturing()
        capture.start_global_capturing()
        capture.suspend_global_capture()
        folder.mkdir()
        self._config._tmp_path_factory._basetemp = folder  # type: ignore[attr-defined]

    def _run(self, left: Sequence[pytest.Item], sending: Connection) -> None:
        """Run tests that are left, then those whose turn it is, and send the reports of each."""
        sender = Sender(self._config)
        self._config.pluginmanager.register(sender)
        for item, following in pairwise(chain(left, self._taken(sending), [None])):
            assert item is not None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            sending.send(sender.reports)
            sender.reports.clear()
        atexit._run_exitfuncs()

    def _taken(self, sending: Connection) -> Iterator[pytest.Item]:
        while turn := os.read(self._turns, 4):
            number = int.from_bytes(turn, "little")
            sending.send(number)
            yield from self._shares[number]


class Sender:
    """Keeps the reports of a test as data."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.reports: list[dict[str, object]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reports.append(_as_data(self._config, report))


def _as_data(config: pytest.Config, report: pytest.TestReport) -> dict[str, object]:
    return config.hook.pytest_report_to_serializable(config=config, report=report)

"""docs/serve.md does what it says: its commands are run in order, and give what stands below them."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.clients import PYTHON, REASON

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Reader:
    """Someone who follows the page, in a folder of their own and on other ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8000": str(free_port()), "8001": str(free_port())}
        self.server: subprocess.Popen[str] | None = None

    def here(self, text: str) -> str:
        for page, port in self.ports.items():
            text = re.sub(rf"\b{page}\b", port, text)
        return text

    def run_python(self, text: str) -> str:
        python = PYTHON if "tritonclient" in text else sys.executable
        if python is None:
            pytest.skip(f"{REASON}; the page up to here is right")
        command = [str(python), "-c", self.here(text)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout

    def run_console(self, text: str) -> tuple[str, str]:
        """What is expected, and what came."""
        command, _, expected = text.removeprefix("$ ").partition("\n{" if "\n{" in text else "\n")
        if "\n{" in text:
            expected = "{" + expected
        if command.endswith("&"):
            return expected.strip(), self.start(command.removesuffix("&"))
        done = subprocess.run(
            self.here(command), shell=True, cwd=self.folder, capture_output=True, text=True, check=True
        )
        return expected.strip(), done.stdout.strip()

    def start(self, command: str) -> str:
        ports = ["--http-port", self.ports["8000"], "--grpc-port", self.ports["8001"], "--home", "home"]
        words = [sys.executable, "-m", *command.split(), *ports]
        self.server = subprocess.Popen(words, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        return self.server.stdout.readline().strip()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    if reader.server is not None:
        reader.server.terminate()
        reader.server.wait(30)
        assert reader.server.stdout is not None
        reader.server.stdout.close()


def test_the_page_does_what_it_says(reader: Reader) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert [kind for kind, _ in blocks].count("console") >= 6
    for kind, text in blocks:
        if kind == "python":
            reader.run_python(text)
        else:
            expected, came = reader.run_console(text)
            pattern = ".*".join(re.escape(part) for part in reader.here(expected).split("..."))
            assert re.match(pattern, came, re.DOTALL), f"{text}\ngave\n{came}"

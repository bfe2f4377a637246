"""An interpreter that has imported what programs of tests share, and forks for each of them.

Each program has its own process, folder, environment and namespace, and ends as a Python of its own would;
only the imports of numpy, onnx and the package, which take longer than most programs, are made once.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_FORKS = """
import json, os, runpy, sys
import numpy, onnx, sardonyx
for line in sys.stdin:
    program, folder, variables = json.loads(line)
    if not (child := os.fork()):
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
os.chdir(folder)
os.environ.clear()
os.environ.update(variables)
for stream, name in ((0, os.devnull), (1, "stdout"), (2, "stderr")):
    os.dup2(os.open(name, os.O_RDONLY if not stream else os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
sys.argv[:] = [program]
sys.path[0] = os.path.dirname(program)
runpy.run_path(program, run_name="__main__")
"""


class Warm:
    """Runs programs one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, program: Path, folder: Path, variables: Mapping[str, str]) -> str:
        """What a program prints in a folder, where `stdout` and `stderr` are its files; it must succeed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps([str(program), str(folder), dict(variables)])}\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline()
        assert code == "0\n", f"exit code {code}{(folder / 'stderr').read_text(encoding='utf-8')}"
        return (folder / "stdout").read_text(encoding="utf-8")


@contextmanager
def warm(variables: Mapping[str, str]) -> Iterator[Warm]:
    """Such an interpreter while the block lasts; without the system's `fork` there is none."""
    command = [sys.executable, "-c", _FORKS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=dict(variables), text=True, **pipes) as process:  # type: ignore[call-overload]
        yield Warm(process)

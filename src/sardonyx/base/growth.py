"""A command whose progress is the growth of a folder.

Decides how often to look; must not know the command.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_LOOK_SECONDS = 0.3
_PAUSES_PER_LOOK = 20  # a look at a folder of many files takes a while, and the command needs the machine
_LINES_SAID = 6


def run_growing(
    command: Sequence[str],
    folder: Path,
    log: IO[str],
    environment: Mapping[str, str],
    grown: Callable[[int], object],
    kept_open: Sequence[int] = (),
) -> tuple[int, str]:
    """Run a command to its end; its exit code, and the last lines that it wrote.

    `environment` are all variables of the command. `grown` is called now and then with the bytes of all files
    below the folder. What the command says goes to `log`, which must be readable too.
    The command keeps the files `kept_open`, so that their locks outlast this process.
    """
    process = subprocess.Popen(
        command, stdout=log, stderr=subprocess.STDOUT, env=environment, pass_fds=kept_open
    )
    looking = 0.0
    try:
        while True:
            try:
                code = process.wait(max(_LOOK_SECONDS, _PAUSES_PER_LOOK * looking))
                break
            except subprocess.TimeoutExpired:
                began = time.monotonic()
                grown(bytes_below(folder))
                looking = time.monotonic() - began
    finally:
        process.kill()
        process.wait()
    log.seek(0)
    said = (line.rstrip() for line in log.read().strip().splitlines()[-_LINES_SAID:])
    return code, "\n    ".join(said)


def bytes_below(folder: Path) -> int:
    """The sizes of all files below a folder, which may change meanwhile; links count as themselves."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except FileNotFoundError:
                continue
    return total

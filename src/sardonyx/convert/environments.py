"""Environments of their own for frameworks: built from a lock of this package, cached, listed, removed.

Decides where they lie, which Python and installer they get, and when one is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sardonyx.base.growth import bytes_below, run_growing
from sardonyx.base.knobs import cache_folder
from sardonyx.base.progress import Progress
from sardonyx.convert.framework import ConvertError

LOCKS = Path(__file__).with_name("locks")
WHOLE = "environment.json"


@dataclass(frozen=True)
class Lock:
    """A lock file: packages with exact versions, and in its head what they need.

    `pythons` are versions that its wheels exist for, the best first; `size` is in MB; `pip` asks for pip
    and the dependencies of whichever build it finds for this machine; `last` is built from source after all
    others, with them.
    """

    name: str
    path: Path
    pythons: tuple[str, ...]
    size: int
    pip: bool
    last: str

    @property
    def folder(self) -> Path:
        """Where its environment lies; a changed lock is another environment."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()[:12]
        return _root() / f"{self.name}-{digest}"

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.folder / "bin" / "python"

    @property
    def is_whole(self) -> bool:
        """Whether it was built to the end."""
        return (self.folder / WHOLE).is_file() and self.python.exists()


def locks() -> list[Lock]:
    """All there are, by name."""
    return [lock(path.stem) for path in sorted(LOCKS.glob("*.txt"))]


def lock(name: str) -> Lock:
    """A lock by name; ConvertError if there is none."""
    path = LOCKS / f"{name}.txt"
    if not path.is_file():
        known = ", ".join(sorted(entry.stem for entry in LOCKS.glob("*.txt")))
        raise ConvertError(f"there is no environment {name!r}; there are {known}")
    head = dict(re.findall(r"^# (\w+): (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    return Lock(
        name,
        path,
        tuple(head.get("python", "3.11").split()),
        int(head.get("megabytes", "1000")),
        head.get("installer") == "pip",
        head.get("last", ""),
    )


def python_of(name: str, *, quiet: bool = False) -> Path:
    """The interpreter of an environment, which is built first if it is not there or not whole."""
    wanted = lock(name)
    if not wanted.is_whole:
        with _alone(wanted.folder, quiet) as held:
            if not wanted.is_whole:
                _build(wanted, held, quiet)
    return wanted.python


@contextmanager
def used(name: str, *, quiet: bool = False) -> Iterator[Path]:
    """The interpreter of an environment, which is built first; nobody removes the environment meanwhile."""
    wanted = lock(name)
    while True:
        python_of(name, quiet=quiet)
        with wanted.folder.with_suffix(".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            if wanted.is_whole:
                yield wanted.python
                return


def built() -> list[tuple[str, Path, int]]:
    """Name, folder and bytes of every environment there is, stale and broken ones included."""
    root = _root()
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    return [(folder.name.rpartition("-")[0], folder, bytes_below(folder)) for folder in folders]


def remove(name: str) -> int:
    """Remove every environment of that name; the bytes freed. ConvertError if there is none."""
    found = [(folder, size) for known, folder, size in built() if name in (known, folder.name, "all")]
    if not found:
        raise ConvertError(
            f"there is no environment {name!r}; `sardonyx convert env list` shows those there are"
        )
    freed = 0
    for folder, size in found:
        with _alone(folder):
            if folder.is_dir():  # nobody else removed it meanwhile
                (folder / WHOLE).unlink(missing_ok=True)
                shutil.rmtree(folder)
                folder.with_suffix(".log").unlink(missing_ok=True)
                freed += size
    return freed


def _root() -> Path:
    cache = cache_folder()
    if cache is None:
        raise ConvertError("environments need the cache, which is off; set SARDONYX_CACHE to a folder")
    return cache / "environments"


@contextmanager
def _alone(folder: Path, quiet: bool = False) -> Iterator[int]:
    """No other process builds, uses or removes the folder meanwhile; the locked file."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not quiet:
                said = f"waiting for another process, which builds, uses or removes {folder}"
                print(said, file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _build(wanted: Lock, held: int, quiet: bool) -> None:
    """Installers hold the lock too: one that outlives its killed parent still writes into the folder."""
    folder = wanted.folder
    shutil.rmtree(folder, ignore_errors=True)
    uv = None if wanted.pip else shutil.which("uv")
    steps = [_creation(wanted, shutil.which("uv"))]
    install = (
        [uv, "pip", "install", f"--python={wanted.python}"]
        if uv
        else [str(wanted.python), "-m", "pip", "install"]
    )
    steps.append([*install, *(() if wanted.pip else ("--no-deps",)), "-r", str(wanted.path)])
    if wanted.last:
        steps.append([*install, "--no-deps", "--no-build-isolation", wanted.last])
    label = f"environment {wanted.name}, kept in {folder}"
    with Progress(label, wanted.size * 1_000_000, "B", quiet=quiet) as bar:
        for step in steps:
            _run(step, wanted, held, bar)
    (folder / WHOLE).write_text(json.dumps({"lock": wanted.name}), encoding="utf-8")


def _creation(wanted: Lock, uv: str | None) -> list[str]:
    """The command that makes the empty environment with a Python that the lock has wheels for."""
    folder = str(wanted.folder)
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    if mine in wanted.pythons:
        return (
            [uv, "venv", "--seed", f"--python={sys.executable}", folder]
            if uv
            else [sys.executable, "-m", "venv", folder]
        )
    for version in wanted.pythons:
        other = shutil.which(f"python{version}")
        if other:
            return (
                [uv, "venv", "--seed", f"--python={other}", folder] if uv else [other, "-m", "venv", folder]
            )
    if uv:
        return [uv, "venv", "--seed", f"--python={wanted.pythons[0]}", folder]
    raise ConvertError(
        f"the environment {wanted.name} needs Python {' or '.join(wanted.pythons)}, and this is {mine}; "
        "install one of them, or uv, which brings its own (pip install uv)"
    )


def _run(command: list[str], wanted: Lock, held: int, bar: Progress) -> None:
    log = wanted.folder.with_suffix(".log")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    with log.open("w+", encoding="utf-8", errors="replace") as file:
        code, said = run_growing(command, wanted.folder, file, environment, bar.update, (held,))
    if code:
        raise ConvertError(
            f"the environment {wanted.name} could not be built ({Path(command[0]).name} ended with {code}); "
            f"is the network up, is the disk full? {log} has all of it:\n    {said}"
        )

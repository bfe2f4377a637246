"""The folder of the payload log: KIND/MODEL/HOUR/*.parquet, written beside and renamed, merged, and limited.

Decides file names, when an hour is merged into one file and what is deleted first. Must not know what a row
means.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sardonyx.monitor.needs import need

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger("sardonyx.payload")
_HOUR = "%Y%m%dT%H"
_MERGED, _UNNAMED = "merged-", ".tmp"


class Store:
    """Parquet files by kind, model and hour of Unix time (UTC).

    An hour that is over is merged by `tend`, which also deletes the oldest hours beyond `max_age_s` and
    `max_bytes`; what somebody reads or writes meanwhile it leaves to its next call. A crash leaves at most
    files without the right name, which nobody reads and `tend` removes.
    """

    def __init__(self, root: Path, *, max_age_s: float = 30 * 86400, max_bytes: int = 10 << 30) -> None:
        need("pyarrow", "the payload log")
        self.root = root
        self._max_age_s, self._max_bytes = max_age_s, max_bytes
        self._count = itertools.count()
        self._lock = threading.RLock()
        self._held: Counter[Path] = Counter()

    def append(self, kind: str, model: str, table: pa.Table, at_s: float | None = None) -> Path:
        """Write a table as one file of its hour. Raises OSError if the disk refuses."""
        at_s = time.time() if at_s is None else at_s
        folder = self._folder(kind, model) / _hour(at_s)
        with self._lock:
            stamp = max(int(at_s * 1000), _merged_until(folder) + 1)  # a clock may be put back
            target = folder / f"{stamp:014d}-{os.getpid():07d}-{next(self._count):08d}.parquet"
            self._held.update((target, beside := _beside(target)))
        try:
            _write(target, table)
        finally:
            self._let_go((target, beside))
        return target

    def models(self, kind: str) -> list[str]:
        """The models that have files of a kind."""
        folder = self.root / kind
        return sorted(unquote(p.name) for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []

    def files(self, kind: str, model: str, since_s: float = 0, until_s: float = 4e9) -> list[Path]:
        """The files whose hours touch the span of Unix time, oldest first."""
        first, last = _hour(max(0, since_s)), _hour(until_s)
        with self._lock:
            hours = _subfolders(self._folder(kind, model))
            return [f for h in hours if first <= h.name <= last for f in _current(h)]

    @contextmanager
    def reading(
        self, kind: str, model: str, since_s: float = 0, until_s: float = 4e9
    ) -> Iterator[list[Path]]:
        """The same files, none of which `tend` deletes while the context lasts."""
        with self._lock:
            found = self.files(kind, model, since_s, until_s)
            self._held.update(found)
        try:
            yield found
        finally:
            self._let_go(found)

    def size_bytes(self) -> int:
        """The size of all files."""
        return sum(_size(f) for f in self.root.rglob("*.parquet"))

    def tend(self, now_s: float | None = None) -> None:
        """Merge the hours that are over and delete what is too old or too much."""
        now_s = time.time() if now_s is None else now_s
        with self._lock:
            for hour in self._hours():
                if hour.name < _hour(now_s - 60):
                    self._merge(hour)
            self._expire(now_s)

    def _merge(self, hour: Path) -> None:
        if any(file.parent == hour and file.suffix == _UNNAMED for file in self._held):
            return
        seen = set(hour.iterdir())
        files = _current(hour)
        if len(files) > 1:
            whole = _joined(hour, files)
            if whole is None:
                return
            files = [hour / (_MERGED + files[-1].name.removeprefix(_MERGED))]
            _write(files[0], whole)
        self._delete(seen - set(files))

    def _delete(self, files: Iterable[Path]) -> None:
        for file in files:
            if file not in self._held:
                file.unlink(missing_ok=True)

    def _let_go(self, files: Iterable[Path]) -> None:
        with self._lock:
            self._held -= Counter(files)

    def _expire(self, now_s: float) -> None:
        hours = sorted(self._hours(), key=lambda folder: folder.name)
        sizes = {hour: sum(_size(f) for f in hour.iterdir()) for hour in hours}
        held = sum(sizes.values())
        oldest = _hour(max(0, now_s - self._max_age_s))
        for hour in hours:
            if hour.name >= oldest and held <= self._max_bytes:
                break
            self._delete(hour.iterdir())
            with contextlib.suppress(OSError):
                hour.rmdir()
            held -= sizes[hour]

    def _hours(self) -> Iterator[Path]:
        for kind in _subfolders(self.root):
            for model in _subfolders(kind):
                yield from _subfolders(model)

    def _folder(self, kind: str, model: str) -> Path:
        return self.root / kind / quote(model, safe="").replace(".", "%2E")


def _hour(at_s: float) -> str:
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC).strftime(_HOUR)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _current(hour: Path) -> list[Path]:
    """The files that count: the last merged one and those that came after what it holds."""
    files = sorted(hour.glob("*.parquet"))
    merged = [f for f in files if f.name.startswith(_MERGED)]
    if not merged:
        return files
    last = merged[-1].name.removeprefix(_MERGED)
    return [merged[-1], *(f for f in files if not f.name.startswith(_MERGED) and f.name > last)]


def _merged_until(hour: Path) -> int:
    """The stamp of the last file that the merged one holds; later ones exceed it."""
    last = max((f.name.removeprefix(_MERGED) for f in hour.glob(f"{_MERGED}*.parquet")), default="0-")
    return int(last.partition("-")[0])


def _joined(hour: Path, files: Sequence[Path]) -> pa.Table | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pa.concat_tables([pq.read_table(f) for f in files], promote_options="permissive")
    except pa.ArrowTypeError:
        return None
    except (pa.ArrowInvalid, OSError) as error:
        _log.warning("an hour of the payload log cannot be merged: %s: %s", hour, error)
        return None


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}{_UNNAMED}")


def _write(target: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    target.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(target)
    try:
        pq.write_table(table, beside, compression="zstd")
        beside.replace(target)
    except OSError as error:  # Arrow tells it in words of its own, with the file that it called so
        why = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno, f"{target.parent} cannot be written to: {why}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def newest(files: Sequence[Path]) -> float:
    """When the newest of the files was written, in Unix time; 0 without any."""
    return max((f.stat().st_mtime for f in files if f.exists()), default=0.0)

"""The last state on disk, so that a gateway can start while the database is gone.

It holds hashes of keys, so only its owner may read it. Must not know the database.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from sardonyx.ort.logger import WARNING, log
from sardonyx.registry.state import State


class Snapshot:
    """One file with one state."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, state: State) -> None:
        """Keep `state`; what prevents it is logged, since serving does not need it."""
        fresh = self._path.with_suffix(f".{os.getpid()}")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(msgspec.msgpack.encode(state))
            fresh.replace(self._path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            log(WARNING, f"{self._path} cannot be written: {error}")

    def read(self) -> State | None:
        """The state that was kept last, or None if there is none that can be read."""
        try:
            return msgspec.msgpack.decode(self._path.read_bytes(), type=State)
        except (OSError, msgspec.DecodeError):
            return None

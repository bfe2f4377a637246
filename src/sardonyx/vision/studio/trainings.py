"""Trainings of collections, one at a time on a thread, with what they have come to.

Decides when a training begins and ends; must not know how one is done or shown.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sardonyx.errors import SardonyxError
from sardonyx.vision.pictures import VisionError
from sardonyx.vision.studio.collections import Collection
from sardonyx.vision.studio.outcome import train


@dataclass(frozen=True)
class Progress:
    """How far a training is: `running`, `done`, `failed` or `cancelled`; how many pictures were seen; why."""

    state: str
    done: int = 0
    total: int = 0
    why: str = ""


class _CancelledError(SardonyxError):
    """Somebody ended the training; it left everything as it was."""


class Trainings:
    """The trainings of this process."""

    def __init__(self) -> None:
        self._progress: dict[str, Progress] = {}
        self._unwanted: set[str] = set()
        self._lock = threading.Lock()

    def progress(self, collection: Collection) -> Progress | None:
        """How far its training is; None if there was none since this process began."""
        return self._progress.get(collection.name)

    def begin(self, collection: Collection) -> None:
        """Train on all pictures of which it is said what they show; VisionError if some training runs."""
        with self._lock:
            busy = [name for name, row in self._progress.items() if row.state == "running"]
            if busy:
                raise VisionError(f"{busy[0]} is trained right now; wait until that is done, or cancel it")
            count = sum(1 for row in collection.pictures if row.marks is not None)
            self._unwanted.discard(collection.name)
            self._progress[collection.name] = Progress("running", 0, count)
        threading.Thread(target=self._train, args=(collection,), daemon=True).start()

    def cancel(self, collection: Collection) -> None:
        """End its training before the next picture or fold; VisionError if none runs."""
        with self._lock:
            row = self._progress.get(collection.name)
            if row is None or row.state != "running":
                raise VisionError(f"{collection.name} is not trained right now")
            self._unwanted.add(collection.name)

    def _train(self, collection: Collection) -> None:
        name = collection.name

        def told(done: int, total: int) -> None:
            if name in self._unwanted:
                raise _CancelledError(f"the training of {name} was cancelled")
            self._progress[name] = Progress("running", done, total)

        try:
            train(collection, told)
        except _CancelledError:
            self._progress[name] = Progress("cancelled")
        except (SardonyxError, ImportError, OSError) as error:
            self._progress[name] = Progress("failed", why=str(error))
        except Exception as error:
            self._progress[name] = Progress("failed", why=f"{type(error).__name__}: {error}")
            raise
        else:
            self._progress[name] = Progress("done")

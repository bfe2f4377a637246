"""The payload log: a thread that turns captured requests into files.

Decides when it writes. A disk that refuses costs rows, which are counted, and never a request. Must not know
the event loop.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sardonyx.monitor.capture import Capture, Snapshot
from sardonyx.monitor.columns import tables_of
from sardonyx.monitor.metrics import Metrics
from sardonyx.monitor.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

REQUESTS, TRUTH = "requests", "truth"

_HOUR_S = 3600
"""What one file may span: the store finds files by their hour."""

_log = logging.getLogger("sardonyx.payload")


class PayloadLog:
    """Writes what `capture` holds every `flush_s` seconds, or sooner when its buffer fills."""

    def __init__(
        self, capture: Capture, store: Store, metrics: Metrics | None = None, *, flush_s: float = 5.0
    ) -> None:
        self.capture, self.store = capture, store
        self._metrics, self._flush_s = metrics, flush_s
        self._dropped_told = 0
        self._stopping = False
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="sardonyx-payload", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._stopping = True
        self.capture.ready.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def flush(self) -> None:
        """Write all that is captured now."""
        with self._writing:
            groups: dict[tuple[str, float], list[Snapshot]] = defaultdict(list)
            for snapshot in self.capture.take():
                groups[snapshot.model, snapshot.finished_s // _HOUR_S].append(snapshot)
            for (model, _), snapshots in groups.items():
                self._write(model, snapshots)
            self._tell()

    def _write(self, model: str, snapshots: list[Snapshot]) -> None:
        collection = self.capture.collection(model)
        if collection is None:
            return
        tables = tables_of(snapshots, collection)
        try:
            for table in tables:
                self.store.append(REQUESTS, model, table, snapshots[-1].finished_s)
        except OSError as error:
            self.capture.dropped += len(snapshots)
            _log.error("%d requests of %s are not logged: %s", len(snapshots), model, error)
            return
        if self._metrics is not None:
            self._metrics["sardonyx_payload_rows"].labels(model).inc(sum(table.num_rows for table in tables))

    def _tell(self) -> None:
        if self._metrics is None:
            return
        self._metrics["sardonyx_payload_dropped"].inc(self.capture.dropped - self._dropped_told)
        self._dropped_told = self.capture.dropped

    def _work(self) -> None:
        rounds = 0
        while not self._stopping:
            self.capture.ready.wait(self._flush_s)
            try:
                self.flush()
                if rounds % 60 == 0:
                    self.store.tend()
                    if self._metrics is not None:
                        self._metrics["sardonyx_payload_bytes"].set(self.store.size_bytes())
            except Exception:
                _log.exception("payload log")
            rounds += 1


def truth_table(
    ids: Sequence[str], values: Mapping[str, Sequence[object]], rows: Sequence[int] | None = None
) -> pa.Table:
    """Ground truth to append: named values by request id, and by row of its batch if it had several."""
    import pyarrow as pa

    columns = {"id": pa.array(ids, pa.string()), "row": pa.array(rows or [0] * len(ids), pa.int32())}
    return pa.table({**columns, **{f"truth.{name}": pa.array(v) for name, v in values.items()}})

"""The payload log keeps what was asked, hides what must be hidden, and survives crashes and full disks."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sardonyx.monitor import query
from sardonyx.monitor.capture import Capture, Collection
from sardonyx.monitor.metrics import Metrics
from sardonyx.monitor.payload import PayloadLog, truth_table
from sardonyx.monitor.query import answer, tables
from sardonyx.monitor.redact import replace_words
from sardonyx.monitor.store import Store
from sardonyx.protocol.errors import Code
from sardonyx.protocol.messages import RequestedOutput
from tests.disk import full_disk
from tests.monitor.records import record

HOUR = 3600.0


def log_of(folder: Path, collection: Collection | None = None, **limits: Any) -> PayloadLog:
    return PayloadLog(Capture({"*": collection or Collection()}), Store(folder, **limits), Metrics())


def rows(log: PayloadLog, sql: str, model: str = "m", **span: float) -> list[tuple[Any, ...]]:
    return answer(log.store, model, sql, **span)[1]


def test_a_batch_becomes_rows_with_its_values(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    texts = np.array([b"one", "zwei €".encode()], object)
    inputs = {"x": np.array([[1, 2], [3, np.nan]], np.float32), "t": texts, "n": np.array([[7], [8]])}
    log.capture.observe(record(inputs, {"y": np.array([True, False])}, id="a", batch_rows=4))
    log.flush()
    values = '"in.x"[1], isnan("in.x"[2]), "in.t", "in.n", "out.y"'
    assert rows(log, f"SELECT id, row, {values}, status FROM requests ORDER BY row") == [
        ("a", 0, 1.0, False, "one", 7, True, "ok"),
        ("a", 1, 3.0, True, "zwei €", 8, False, "ok"),
    ]
    assert rows(log, "SELECT batch_rows, total_ms, queue_ms FROM requests LIMIT 1") == [(4, 1, 0.25)]


def test_requests_of_two_hours_that_are_written_at_once_are_found_in_theirs(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    for id, finished_s in (("late", 2 * HOUR + 1), ("early", 2 * HOUR - 1), ("next", 2 * HOUR + 2)):
        log.capture.observe(record(id=id, finished_s=finished_s))
    log.flush()
    ids = "SELECT id FROM requests ORDER BY time"
    assert rows(log, ids, since_s=HOUR, until_s=2 * HOUR - 0.5) == [("early",)]
    assert rows(log, ids, since_s=2 * HOUR, until_s=3 * HOUR) == [("late",), ("next",)]


def test_tensors_of_other_sizes_and_failures_are_one_row(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.capture.observe(record({"x": np.zeros((3, 2))}, {"y": np.zeros(5)}))
    log.capture.observe(record({"x": np.zeros((3, 2))}, code=Code.INTERNAL, id="bad"))
    log.capture.observe(record({"x": np.zeros((0, 2))}, {"y": np.zeros((0, 1))}, id="none"))
    log.capture.observe(record({"x": np.float32(3)}, {"y": np.float32(4)}, id="scalar"))
    log.flush()
    found = rows(log, "SELECT id, status, message FROM requests WHERE status <> 'ok' ORDER BY row")
    assert found == [("bad", "internal", "refused")] * 3
    assert rows(log, 'SELECT id, "in.x", "out.y" FROM requests WHERE id = \'scalar\'') == [
        ("scalar", [3.0], [4.0])
    ]
    assert rows(log, "SELECT count(*) FROM requests WHERE status = 'ok'") == [(3,)]
    log.store.tend(time.time() + 2 * HOUR)
    assert rows(log, "SELECT count(*) FROM requests") == [(6,)]


def test_large_values_are_kept_as_summaries(tmp_path: Path) -> None:
    log = log_of(tmp_path, Collection(max_elements=16, max_tensor_bytes=1 << 20))
    pictures = np.full((2, 3, 8, 8), [[[[1.0]]], [[[5.0]]]], np.float32)
    log.capture.observe(record({"x": pictures, "huge": np.zeros((2, 1 << 20))}, {"y": np.zeros(2)}))
    log.flush()
    assert rows(log, 'SELECT "in.x@summary"[1] FROM requests ORDER BY row') == [(1.0,), (5.0,)]
    with pytest.raises(ValueError, match=r"in\.huge"):
        rows(log, 'SELECT "in.huge" FROM requests')


def test_copies_do_not_follow_the_original(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    x = np.ones((1, 2), np.float32)
    log.capture.observe(record({"x": x}))
    x[:] = 9
    log.flush()
    assert rows(log, 'SELECT "in.x"[1] FROM requests') == [(1.0,)]


def test_sampling_takes_its_share(tmp_path: Path) -> None:
    log = log_of(tmp_path, Collection(sampling_rate=0.25))
    log.capture._random.seed(1)
    for _ in range(2000):
        log.capture.observe(record())
    assert 400 < len(log.capture.take()) < 600
    log.capture.collections = {"other": Collection()}
    log.capture.observe(record())
    assert log.capture.take() == []


def test_redaction_drops_hashes_and_replaces(tmp_path: Path) -> None:
    hidden = Collection(
        redact={"in.name": "hash", "age": "drop", "principal": "drop"}, patterns=("email", "phone")
    )
    log = log_of(tmp_path, hidden)
    text = np.array([b"write to a.b@example.org or +49 30 1234567"], object)
    log.capture.observe(record({"name": np.array([b"Ada"], object), "age": np.array([36]), "text": text}, {}))
    log.flush()
    assert rows(log, 'SELECT "in.text", principal FROM requests') == [("write to [email] or [phone]", None)]
    assert rows(log, """SELECT "in.name" LIKE '#%' FROM requests""") == [(True,)]
    stored = b"".join(f.read_bytes() for f in tmp_path.rglob("*.parquet"))
    assert b"Ada" not in stored and b"in.age" not in stored and b"example.org" not in stored


def test_patterns_do_not_stall_on_long_texts() -> None:
    began = time.perf_counter()
    for text in ("a" * 4000, "1 " * 2000, "a@" * 2000, "a.b" * 1300 + "@", "1." * 2000):
        replace_words(text, ("email", "card", "phone", "address"))
    assert time.perf_counter() - began < 2


def test_a_full_buffer_misses_requests_and_says_so(tmp_path: Path) -> None:
    log = PayloadLog(Capture(max_bytes=10_000), Store(tmp_path), Metrics())
    for _ in range(20):
        log.capture.observe(record({"x": np.zeros((1, 100))}))
    log.flush()
    kept = rows(log, "SELECT count(*) FROM requests")[0][0]
    assert 0 < kept < 20
    assert log._metrics is not None
    assert log._metrics.registry.get_sample_value("sardonyx_payload_dropped_total") == 20 - kept


def test_hours_that_are_over_are_merged_and_crashes_leave_no_double(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    now = 500_000 * HOUR
    for i in range(6):
        log.capture.observe(record({"x": np.array([[i]])}, finished_s=now + i, id=str(i)))
        log.flush()
    before = log.store.files("requests", "m")
    assert len(before) == 6
    saved = {f: f.read_bytes() for f in before}
    log.store.tend(now + 2 * HOUR)
    assert len(log.store.files("requests", "m")) == 1
    for path, data in saved.items():
        path.write_bytes(data)
    (before[0].parent / ".torn.tmp").write_bytes(b"PAR1")
    assert rows(log, "SELECT count(*), count(DISTINCT id) FROM requests") == [(6, 6)]
    log.store.tend(now + 2 * HOUR)
    assert [p.name for p in before[0].parent.iterdir()] == [f.name for f in log.store.files("requests", "m")]


def kept(log: PayloadLog, *finished_s: float) -> None:
    for at_s in finished_s:
        log.capture.observe(record(finished_s=at_s, id=str(at_s)))
        log.flush()


def test_files_that_are_read_outlive_their_merging_and_their_age(tmp_path: Path) -> None:
    log, now = log_of(tmp_path, max_age_s=3 * HOUR), 500_000 * HOUR
    kept(log, now, now + 1)
    with tables(log.store, "m") as early:
        log.store.tend(now + 2 * HOUR)
        with tables(log.store, "m") as late:
            log.store.tend(now + 9 * HOUR)
            for connection in (early, late):
                assert connection.execute("SELECT count(*) FROM requests").fetchall() == [(2,)]
    log.store.tend(now + 9 * HOUR)
    assert rows(log, "SELECT count(*) FROM requests") == [(0,)]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_queries_beside_merging_lose_nothing(tmp_path: Path) -> None:
    log, now = log_of(tmp_path), 500_000 * HOUR
    wrong: list[object] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                hours = rows(
                    log, "SELECT hour(time), count(*) FROM requests GROUP BY 1 HAVING count(*) % 8 > 0"
                )
                wrong.extend(hours)
            except ValueError as error:
                wrong.append(error)

    for hour in range(12):
        kept(log, *(now + hour * HOUR + i for i in range(8)))
    asking = threading.Thread(target=ask)
    asking.start()
    for hour in range(12):
        log.store.tend(now + (hour + 2) * HOUR)
    over.set()
    asking.join()
    assert not wrong


def test_rows_that_are_written_after_the_clock_was_put_back_are_kept(tmp_path: Path) -> None:
    log, now = log_of(tmp_path), 500_000 * HOUR
    kept(log, now + 3000, now + 3001)
    log.store.tend(now + 2 * HOUR)
    kept(log, now + 10, now + 11)
    assert rows(log, "SELECT count(*) FROM requests") == [(4,)]
    for _ in range(2):
        log.store.tend(now + 2 * HOUR)
        assert rows(log, "SELECT count(DISTINCT id) FROM requests") == [(4,)]
    assert len(log.store.files("requests", "m")) == 1


def test_what_is_being_written_while_its_hour_is_merged_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a disk is slow, or the clock leaps an hour forward."""
    log, now = log_of(tmp_path), 500_000 * HOUR
    write = pq.write_table

    def slowly(table: pa.Table, where: Path, **options: Any) -> None:
        write(table, where, **options)
        monkeypatch.setattr(pq, "write_table", write)
        for at_s in (now + 1, now + 2):
            log.store.append("requests", "m", table, at_s)
        log.store.tend(now + 2 * HOUR)

    monkeypatch.setattr(pq, "write_table", slowly)
    kept(log, now)
    assert rows(log, "SELECT count(*) FROM requests") == [(3,)]
    log.store.tend(now + 2 * HOUR)
    assert rows(log, "SELECT count(*) FROM requests") == [(3,)]
    assert len(log.store.files("requests", "m")) == 1


def test_age_and_size_limits_delete_the_oldest(tmp_path: Path) -> None:
    log = log_of(tmp_path, max_age_s=10 * HOUR, max_bytes=10**9)
    now = 500_000 * HOUR
    for i in range(20):
        log.capture.observe(record({"x": np.array([[i]])}, finished_s=now - i * HOUR))
        log.flush()
    log.store.tend(now)
    assert rows(log, "SELECT count(*) FROM requests") == [(11,)]
    smaller = Store(tmp_path, max_age_s=10 * HOUR, max_bytes=log.store.size_bytes() // 2)
    smaller.tend(now)
    left = rows(log, 'SELECT min("in.x"), max("in.x") FROM requests')[0]
    assert left[0] == 0 and 3 <= left[1] <= 5


def test_spans_select_rows(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    now = 500_000 * HOUR
    for i in range(5):
        log.capture.observe(record({"x": np.array([[i]])}, finished_s=now + i * 1000))
        log.flush()
    found = rows(
        log, 'SELECT list("in.x" ORDER BY "in.x") FROM requests', since_s=now + 1000, until_s=now + 3000
    )
    assert found == [([1, 2],)]


@pytest.mark.parametrize("model", ["..", "../../etc", "a/b", "ä b", "x.y", "CON"])
def test_names_of_models_stay_inside_the_folder(tmp_path: Path, model: str) -> None:
    log = log_of(tmp_path / "log")
    log.capture.observe(record({"x": np.zeros((1, 1))}, model=model))
    log.flush()
    assert rows(log, "SELECT count(*) FROM requests", model=model) == [(1,)]
    assert log.store.models("requests") == [model]
    assert [p.name for p in tmp_path.iterdir()] == ["log"]


def test_queries_reach_nothing_else(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log")
    for model in ("m", "other"):
        log.capture.observe(record({"x": np.zeros((1, 1))}, model=model))
    log.flush()
    (own,), (other,) = (log.store.files("requests", model) for model in ("m", "other"))
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for sql in (
        f"SELECT * FROM read_csv('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        f"ATTACH '{tmp_path / 'db'}'",
        "SELECT * FROM nothing",
        "SELEC",
        "",
        "-- a remark",
        "SELECT 1; SELECT 2",
        f"SELECT * FROM read_parquet('{other}')",
        f"COPY (SELECT 1) TO '{own}'",
        f"COPY (SELECT 1) TO '{own.with_name('forged.parquet')}'",
    ):
        with pytest.raises(ValueError):
            rows(log, sql)
    assert rows(log, "SELECT count(*) FROM requests") == [(1,)]
    assert rows(log, f"SELECT count(*) FROM read_parquet('{own}')") == [(1,)]
    assert rows(log, "SELECT count(*) FROM requests", model="never asked") == [(0,)]
    assert ("time",) in [row[:1] for row in rows(log, "DESCRIBE requests")]


def test_a_question_without_an_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(tmp_path)
    monkeypatch.setattr(query, "MOST_MEMORY", "64MB")
    with pytest.raises(ValueError, match="[Mm]emory"):
        rows(log, "SELECT string_agg(repeat('x', 1000000)) FROM range(10000)")
    monkeypatch.setattr(query, "LONGEST_S", 0.2)
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
    with pytest.raises(ValueError, match="stopped after"):
        rows(log, endless)


def test_a_damaged_file_costs_its_rows_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = log_of(tmp_path, max_age_s=10 * HOUR)
    now = 500_000 * HOUR
    for hours in (0, 0, 20):
        log.capture.observe(record({"x": np.array([[1]])}, finished_s=now - hours * HOUR))
        log.flush()
    damaged = log.store.files("requests", "m")[-1]
    damaged.write_bytes(b"")
    assert rows(log, "SELECT count(*) FROM requests") == [(2,)] and damaged.name in caplog.text
    log.store.tend(now + 2 * HOUR)
    assert rows(log, "SELECT count(*) FROM requests") == [(1,)]
    damaged.write_bytes(b"PAR1")
    assert rows(log, "SELECT count(*) FROM requests") == [(1,)]


def test_truth_is_joined_by_id(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    for i in range(3):
        log.capture.observe(record({"x": np.array([[i]])}, id=f"r{i}"))
    log.flush()
    log.store.append("truth", "m", truth_table(["r2", "r0"], {"label": [1, 0]}))
    found = rows(log, 'SELECT "in.x", "truth.label" FROM requests JOIN truth USING (id) ORDER BY id')
    assert found == [(0, 0), (2, 1)]


def test_a_refusing_disk_costs_rows_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "requests").write_text("a file where a folder should be")
    log = log_of(tmp_path)
    log.capture.observe(record())
    log.flush()
    assert log.capture.dropped == 1
    assert "not logged" in caplog.text


def test_a_full_disk_is_told_in_the_words_of_the_system(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = log_of(tmp_path)
    log.capture.observe(record())
    with full_disk(0):
        log.flush()
    assert log.capture.dropped == 1 and not list(tmp_path.rglob("*.tmp"))
    assert re.search(
        r"requests of m are not logged: .*cannot be written to: File too large$", caplog.text, re.M
    )


def test_the_thread_writes_and_stops(tmp_path: Path) -> None:
    log = PayloadLog(Capture(), Store(tmp_path), flush_s=0.02)
    log.start()
    log.capture.observe(record(id="early"))
    until = time.monotonic() + 10
    while not log.store.files("requests", "m") and time.monotonic() < until:
        time.sleep(0.01)
    log.capture.observe(record(id="late"))
    log.close()
    assert {r[0] for r in rows(log, "SELECT id FROM requests")} == {"early", "late"}


def test_an_output_that_was_classified_is_not_kept_as_what_the_model_gave(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    found = record({"x": np.zeros((1, 2))}, {"y": np.array([[b"0.9:1"]], object), "z": np.ones((1, 1))})
    found.request.outputs = [RequestedOutput("y", {"classification": 1}), RequestedOutput("z")]
    log.capture.observe(found)
    log.flush()
    assert rows(log, "SELECT * EXCLUDE (time, id) FROM requests")
    names = [row[0] for row in rows(log, "DESCRIBE requests")]
    assert "out.z" in names and "out.y" not in names

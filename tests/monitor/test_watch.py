"""Monitors find what was put there, say so once, and never fall over what they cannot read."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sardonyx.client.outbound import Outbound
from sardonyx.database import Database, now
from sardonyx.monitor import baseline
from sardonyx.monitor.book import KEPT_RUNS, Book
from sardonyx.monitor.capture import Capture
from sardonyx.monitor.metrics import Metrics
from sardonyx.monitor.notify import Mail, Notifier
from sardonyx.monitor.payload import PayloadLog, truth_table
from sardonyx.monitor.store import Store
from sardonyx.monitor.watch import Baselines, Watch
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.monitors import Alert, Baseline, NewMonitor, Notice, Run, seconds
from tests.homes import prepared
from tests.monitor.records import record

RNG = np.random.default_rng(11)


class World:
    """A payload log, a database and a watch in one folder."""

    def __init__(self, folder: Path, notifier: Notifier | None = None) -> None:
        self.log = PayloadLog(Capture(), Store(folder / "payload"))
        self.metrics = Metrics(process=False)
        self.database = Database.at_home(prepared(folder))
        self.watch = Watch(
            Book(self.database), self.log.store, Baselines(folder / "baselines"), self.metrics, notifier
        )
        self.at = now()

    def ask(self, x: Any, y: Any, hours_ago: float = 1, ids: str = "", **inputs: Any) -> None:
        moment = self.at.timestamp() - hours_ago * 3600
        self.log.capture.observe(
            record(
                {"x": np.asarray(x, np.float32), **inputs}, {"y": np.asarray(y)}, finished_s=moment, id=ids
            )
        )
        self.log.flush()

    def add(self, **fields: Any) -> None:
        self.watch.book.add(NewMonitor(**{"name": "mon", "model": "m", "kind": "data_drift", **fields}))

    def run(self, **fields: Any) -> Run:
        self.add(**fields)
        return self.watch.run("mon", self.at)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.database.close()


def breached(run: Run) -> set[tuple[str, str]]:
    return {(value.metric, value.column) for value in run.values if value.breached}


def test_drift_against_a_window_names_the_column(world: World) -> None:
    world.ask(RNG.normal(0, 1, (800, 3)), np.zeros(800), hours_ago=72)
    moved = RNG.normal(0, 1, (800, 3))
    moved[:, 1] += 2
    world.ask(moved, np.zeros(800))
    run = world.run()
    assert run.state == "alert" and (run.rows, run.reference_rows) == (800, 800)
    assert breached(run) == {("psi", "in.x[1]"), ("jensen_shannon", "in.x[1]")}
    assert re.search(r"psi of in\.x\[1\] is [\d.]+, above 0\.2", run.message)
    assert set(run.plots) == {"in.x[0]", "in.x[1]", "in.x[2]"}
    assert sum(run.plots["in.x[1]"]["current"]) == pytest.approx(1, abs=1e-3)
    labels = {"monitor": "mon", "model": "m", "metric": "psi", "column": "in.x[1]"}
    told = world.metrics.registry.get_sample_value("sardonyx_monitor_value", labels)
    assert told is not None and told > 0.2
    assert (
        world.metrics.registry.get_sample_value("sardonyx_monitor_alert", {"monitor": "mon", "model": "m"})
        == 1
    )


def test_drift_against_a_file_with_azure_names(world: World, tmp_path: Path) -> None:
    path = tmp_path / "b.npz"
    np.savez(path, x=RNG.normal(0, 1, (500, 2)), y=np.zeros(500))
    name = world.watch.baselines.add(path.read_bytes(), ".npz")
    world.ask(RNG.normal(5, 1, (300, 2)), np.zeros(300))
    run = world.run(
        baseline=Baseline(file=name),
        metrics=["NormalizedWassersteinDistance", "TwoSampleKolmogorovSmirnovTest"],
        thresholds={"NormalizedWassersteinDistance": 10.0},
        columns=["in.x"],
    )
    assert breached(run) == {("kolmogorov_smirnov", "in.x[0]"), ("kolmogorov_smirnov", "in.x[1]")}
    assert {v.threshold for v in run.values if v.metric == "wasserstein"} == {10.0}


def test_pictures_and_texts_drift_by_their_embeddings(world: World) -> None:
    def texts(words: list[str], count: int) -> Any:
        return np.array([" ".join(RNG.choice(words, 8)).encode() for _ in range(count)], object)

    dark, bright = RNG.uniform(0, 0.4, (80, 3, 24, 24)), RNG.uniform(0.6, 1, (80, 3, 24, 24))
    german = texts(["rechnung", "lieferung", "kunde", "straße"], 80)
    english = texts(["invoice", "delivery", "customer", "street"], 80)
    world.ask(dark, np.zeros(80), 72, t=german)
    world.ask(bright, np.zeros(80), 1, t=english)
    run = world.run()
    assert breached(run) == {
        (metric, column)
        for metric in ("centroid", "domain_classifier")
        for column in ("in.x@summary", "in.t")
    }
    world.watch.book.add(
        NewMonitor(name="same", model="m", kind="data_drift", baseline=Baseline(window="2h", offset="1s"))
    )
    assert world.watch.run("same", world.at).state == "ok"


def test_prediction_drift_looks_at_outputs_alone(world: World) -> None:
    world.ask(np.zeros((200, 1)), RNG.dirichlet((8, 1, 1), 200), hours_ago=72)
    world.ask(np.ones((200, 1)), RNG.dirichlet((1, 1, 8), 200))
    run = world.run(kind="prediction_drift")
    assert {column for _, column in breached(run)} >= {"out.y.top", "out.y[0]", "out.y[2]"}
    assert all(value.column.startswith("out.") for value in run.values)


def test_quality_counts_nulls_types_and_bounds(world: World) -> None:
    colours = RNG.choice([b"red", b"blue"], 200).astype(object)
    world.ask(RNG.uniform(0, 1, (200, 2)), np.zeros(200), 72, c=colours)
    bad = RNG.uniform(0, 1, (200, 2))
    bad[:40, 0] = np.nan
    bad[:60, 1] = 9
    world.ask(bad, np.zeros(200), 1, c=np.array([b"green"] * 50 + [b"red"] * 150, object))
    run = world.run(kind="data_quality", columns=["in.*"])
    values = {(v.metric, v.column): v.value for v in run.values}
    assert values["null_rate", "in.x[0]"] == 0.2
    assert values["out_of_bounds_rate", "in.x[1]"] == 0.3
    assert values["out_of_bounds_rate", "in.c"] == 0.25
    assert values["type_error_rate", "in.c"] == 0
    assert len(breached(run)) == 3


def test_quality_counts_texts_where_numbers_were(world: World) -> None:
    world.ask(np.zeros((100, 1)), np.zeros(100), 72, c=np.arange(100))
    world.ask(
        np.zeros((100, 1)), np.zeros(100), 1, c=np.array([b"7"] * 90 + [b"seven"] * 8 + [b""] * 2, object)
    )
    run = world.run(kind="data_quality", metrics=["DataTypeErrorRate", "NullValueRate"], columns=["in.c"])
    assert {(v.metric, v.value) for v in run.values} == {("type_error_rate", 0.08), ("null_rate", 0.02)}


@pytest.mark.parametrize("numeric", [False, True])
def test_performance_joins_the_truth(world: World, numeric: bool) -> None:
    for i in range(60):
        world.ask([[i]], np.array([i * 0.5 if numeric else i % 2]), ids=f"r{i}")
    truth: list[object] = [
        i * 0.5 + 1 if numeric else int(i % 2 == 0 if i < 15 else i % 2) for i in range(60)
    ]
    world.log.store.append("truth", "m", truth_table([f"r{i}" for i in range(60)], {"label": truth}))
    run = world.run(kind="performance", prediction="out.y", thresholds={"mae": 0.5} if numeric else {})
    values = {v.metric: v.value for v in run.values}
    if numeric:
        assert values["mae"] == values["rmse"] == 1 and breached(run) == {("mae", "out.y")}
    else:
        assert values["accuracy"] == 0.75 and ("accuracy", "out.y") in breached(run)
        assert "accuracy of out.y is 0.75, below 0.8" in run.message
    assert run.rows == 60


def test_service_counts_failures_and_latency(world: World) -> None:
    for code in [None] * 40 + [Code.INTERNAL] * 10 + [Code.INVALID_ARGUMENT] * 10:
        world.log.capture.observe(record(code=code, finished_s=world.at.timestamp() - 60))
    world.log.flush()
    run = world.run(kind="service", thresholds={"latency_p95_ms": 0.5, "refused_rate": 0.5})
    assert {v.metric: round(v.value or 0, 4) for v in run.values} == {
        "error_rate": round(10 / 60, 4),
        "refused_rate": round(10 / 60, 4),
        "latency_p95_ms": 1,
    }
    assert {metric for metric, _ in breached(run)} == {"error_rate", "latency_p95_ms"}


def test_what_cannot_be_judged_is_said(world: World) -> None:
    assert world.run().state == "too_few"
    world.ask(np.zeros((60, 1)), np.zeros(60))
    assert "baseline has 0 rows" in world.watch.run("mon", world.at).message
    world.watch.book.add(
        NewMonitor(name="mon", model="m", kind="data_drift", baseline=Baseline(file="x.csv")), replace=True
    )
    run = world.watch.run("mon", world.at)
    assert run.state == "failed" and "x.csv" in run.message


def test_a_baseline_without_the_columns_of_a_monitor_says_what_both_have(
    world: World, tmp_path: Path
) -> None:
    np.savez(tmp_path / "b.npz", x=np.zeros((60, 1), np.float32), label=np.zeros(60))
    world.ask(np.zeros((60, 1)), np.zeros(60))
    file = world.watch.baselines.add((tmp_path / "b.npz").read_bytes(), ".npz")
    fields: dict[str, Any] = {"name": "mon", "model": "m", "baseline": Baseline(file=file)}
    for kind, more, said in (
        ("prediction_drift", {}, "the requests have out.y, the baseline none that begins with 'out.'"),
        (
            "data_drift",
            {"columns": ["in.z"]},
            "no column that in.z means: the requests have in.x, the baseline in.x",
        ),
        ("data_drift", {"metrics": ["chi_square"]}, "none of the metrics fits"),
    ):
        world.watch.book.add(NewMonitor(**fields, kind=kind, **more), replace=True)
        run = world.watch.run("mon", world.at)
        assert run.state == "failed" and said in run.message


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "no spaces"},
        {"every": "soon"},
        {"every": "0s"},
        {"metrics": ["distance"]},
        {"kind": "data_quality", "thresholds": {"psi": 1}},
        {"kind": "performance"},
        {"notify": [Notice()]},
        {"notify": [Notice(email="a@b\r\nBcc: c@d")]},
        {"min_rows": 0},
    ],
)
def test_definitions_that_make_no_sense_are_refused(world: World, fields: dict[str, Any]) -> None:
    with pytest.raises(ServeError) as caught:
        world.add(**fields)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_names_of_baselines_stay_in_their_folder(world: World, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for name in ("../secret.csv", "..", "", "/etc/passwd"):
        with pytest.raises(ServeError):
            world.watch.baselines.path(name)
    for content, suffix in ((b"", ".csv"), (b"PAR1", ".parquet"), (b"x", ".exe")):
        with pytest.raises(ServeError):
            world.watch.baselines.add(content, suffix)
    assert list((tmp_path / "baselines").iterdir()) == []


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_small_file_does_not_become_a_large_baseline(
    world: World, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "MAX_BYTES", 64 << 20)
    file = tmp_path / f"bomb{suffix}"
    if suffix == ".npz":
        np.savez_compressed(file, x=np.zeros((50_000, 200)))
    else:
        texts = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), ["x" * 10_000])
        pq.write_table(pa.table({"x": texts}), file)
    assert file.stat().st_size < 200_000
    with pytest.raises(ServeError, match="64 MB|67108864"):
        world.watch.baselines.add(file.read_bytes(), suffix)
    assert list((tmp_path / "baselines").iterdir()) == []


def test_alerts_begin_and_end_once_and_are_told(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    notifier = Notifier(Outbound(private=True), retry_s=0.01)
    world = World(tmp_path, notifier)
    url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    world.ask(RNG.normal(0, 1, (100, 1)), np.zeros(100), hours_ago=100)
    world.ask(RNG.normal(9, 1, (100, 1)), np.zeros(100))
    assert world.run(notify=[Notice(webhook=url)], baseline=Baseline(offset="3d")).state == "alert"
    assert world.watch.run("mon", world.at).state == "alert"
    assert world.watch.book.open_alerts() == 1
    world.watch.book.acknowledge(world.watch.book.alerts()[0].number, "ada")
    assert world.watch.book.open_alerts() == 0
    world.ask(RNG.normal(0, 1, (4000, 1)), np.zeros(4000), hours_ago=-47)
    world.watch.run("mon", world.at + timedelta(days=2))
    notifier.close()
    server.shutdown()
    thread.join()
    server.server_close()
    alerts = world.watch.book.alerts()
    world.database.close()
    assert [t["event"] for t in told] == ["alert.began", "alert.ended"]
    assert told[0]["values"][0]["column"] == "in.x" and "psi" in told[0]["text"]
    assert len(alerts) == 1 and alerts[0].ended_at is not None and alerts[0].acknowledged_by == "ada"


def test_webhooks_into_the_own_network_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier(retry_s=0.01)
    world = World(tmp_path, notifier)
    for i in range(60):
        world.log.capture.observe(record(code=Code.INTERNAL, finished_s=world.at.timestamp() - i))
    world.log.flush()
    hooks = [
        Notice(webhook=url)
        for url in (
            "http://127.0.0.1:9/topsecret",
            "http://169.254.169.254/latest",
            "ftp://example.org/topsecret",
        )
    ]
    world.run(kind="service", notify=[*hooks, Notice(email="a@example.org")])
    notifier.close()
    world.database.close()
    assert caplog.text.count("not a public address") == 2
    assert "only http and https" in caplog.text
    assert "topsecret" not in caplog.text
    assert "SARDONYX_SMTP_HOST" in caplog.text


def test_the_path_of_a_webhook_is_not_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier(Outbound(private=True, timeout_s=1), retry_s=0.01)
    run = world.run(
        kind="service", notify=[Notice(webhook="http://127.0.0.1:9/services/topsecret?token=topsecret")]
    )
    alert = Alert(number=1, monitor="mon", model="m", began_at=world.at, message="")
    notifier.tell(world.watch.book.get("mon"), alert, run)
    notifier.close()
    assert "127.0.0.1:9" in caplog.text
    assert "topsecret" not in caplog.text


def test_mail_reads_its_server_from_the_environment() -> None:
    assert Mail.from_environment({}) is None
    mail = Mail.from_environment({"SARDONYX_SMTP_HOST": "smtp.example.org", "SARDONYX_SMTP_PORT": "25"})
    assert mail is not None and (mail.host, mail.port, mail.security) == ("smtp.example.org", 25, "starttls")


def test_of_several_gateways_one_runs_a_monitor(world: World) -> None:
    world.add()
    at = now()
    assert [m.name for m in world.watch.book.due(at)] == ["mon"]
    assert world.watch.book.claim("mon", at, None)
    assert not world.watch.book.claim("mon", at, None)
    assert world.watch.book.due(at) == []
    assert [m.name for m in world.watch.book.due(at + timedelta(days=1))] == ["mon"]
    assert world.watch.book.due(at - timedelta(minutes=1)) == [], "another gateway's clock is a little ahead"
    assert [m.name for m in world.watch.book.due(at - timedelta(days=1))] == ["mon"], "the clock was set back"
    world.watch.book.enable("mon", False)
    assert world.watch.book.due(at + timedelta(days=1)) == []
    assert world.watch.run_due() == []


def test_old_runs_are_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT_RUNS >= 100
    monkeypatch.setattr("sardonyx.monitor.book.KEPT_RUNS", 3)
    world.add(kind="service")
    for _ in range(6):
        world.watch.run("mon")
    assert len(world.watch.book.runs("mon")) == 3
    world.watch.book.remove("mon")
    with pytest.raises(ServeError):
        world.watch.book.runs("mon")


def test_durations() -> None:
    assert [seconds(t) for t in ("P7D", "PT1H30M", "P1W", "15m", "7d", "1 h")] == [
        604800,
        5400,
        604800,
        900,
        604800,
        3600,
    ]
    for text in ("", "P", "PT", "7", "1y", "-1h", "9999999d"):
        with pytest.raises(ServeError):
            seconds(text)

"""Monitors over the admin API, the client and the command line: made, run, told the truth, asked in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sardonyx.client import Client
from sardonyx.gateway.gateway import Gateway
from sardonyx.monitor.capture import Collection
from sardonyx.monitor.monitoring import MonitorOptions
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.monitors import Baseline, NewMonitor, Notice
from sardonyx.tools.cli import main
from tests.gateway.running import client_of, running
from tests.serve.models import identity, save


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("models")
    save(identity("float"), folder / "echo.onnx")
    home = tmp_path_factory.mktemp("home")
    with running(home, [folder], monitoring=MonitorOptions(home, {"*": Collection()})) as gateway:
        with client_of(gateway) as client:
            for i in range(60):
                client.infer("echo", {"x": np.full((1, 1), i % 2, np.float32)}, id=f"r{i}")
        assert gateway.monitoring.payload is not None
        gateway.monitoring.payload.flush()
        yield gateway


@pytest.fixture
def client(watched: Gateway) -> Iterator[Client]:
    with client_of(watched) as client:
        yield client


def test_truth_makes_a_performance(client: Client) -> None:
    by_hand = NewMonitor(name="right", model="echo", kind="performance", prediction="out.y", enabled=False)
    client.add_monitor(by_hand)
    assert client.run_monitor("right").state == "too_few"
    truth = [i % 2 if i < 45 else 0 for i in range(60)]
    assert client.add_truth("echo", [f"r{i}" for i in range(60)], {"label": truth}).rows == 60
    run = client.run_monitor("right")
    assert run.rows == 60 and {v.metric: v.value for v in run.values}["accuracy"] == pytest.approx(52 / 60)
    assert [r.number for r in client.monitor_runs("right")] == [run.number, run.number - 1]
    client.delete_monitor("right")


def test_who_may_not_change_a_monitor_does_not_learn_its_webhooks(tmp_path: Path) -> None:
    hooks = [
        Notice(webhook="https://me:pw@hooks.example.org/services/topsecret?token=x"),
        Notice(email="a@b.org"),
    ]
    options = MonitorOptions(tmp_path, {"*": Collection()})
    with running(tmp_path / "home", monitoring=options) as gateway, client_of(gateway) as client:
        client.add_monitor(NewMonitor(name="ok", model="echo", kind="service", notify=hooks))
        root = client.create_key("root", role="admin").secret
        with client_of(gateway, root) as admin:
            viewer = admin.create_key("eye", role="viewer").secret
            assert admin.monitor("ok").notify == hooks
        with client_of(gateway, viewer) as eye:
            for seen in (eye.monitor("ok"), *eye.monitors()):
                assert [one.webhook or one.email for one in seen.notify] == [
                    "https://hooks.example.org/",
                    "a@b.org",
                ]


def test_a_baseline_may_be_larger_than_other_bodies(client: Client) -> None:
    content = b"x\n" + b"1.25\n" * 400_000
    assert client.add_baseline(content, ".csv").name.endswith(".csv")
    with pytest.raises(ServeError, match="larger than 1 MiB"):
        client.create_model("m", description="x" * 1_100_000)


def test_a_baseline_is_sent_and_drift_is_found(client: Client) -> None:
    name = client.add_baseline(b"x\n" + b"5\n6\n" * 50, ".csv").name
    client.add_monitor(NewMonitor(name="far", model="echo", kind="data_drift", baseline=Baseline(file=name)))
    assert client.run_monitor("far").state == "alert"
    (alert,) = client.alerts(open=True)
    assert alert.monitor == "far" and client.acknowledge_alert(alert.number).acknowledged_by
    assert not client.switch_monitor("far", False).enabled
    assert [m.name for m in client.monitors("echo")] == ["far"] and client.monitor("far").state == "alert"
    client.delete_monitor("far")


def test_kept_requests_are_asked(client: Client) -> None:
    found = client.query_requests("echo", "SELECT id, \"out.y\", time FROM requests WHERE id = 'r1'")
    assert found.names == ["id", "out.y", "time"] and found.rows[0][:2] == ["r1", 1.0]
    with pytest.raises(ServeError, match="nonsense"):
        client.query_requests("echo", "nonsense")


@pytest.mark.parametrize(
    ("ids", "values", "rows"),
    [([], {"a": []}, []), (["r"], {}, []), (["r"], {"a": [1, 2]}, []), (["r"], {"a": [1]}, [0, 1])],
)
def test_truth_that_does_not_fit_is_refused(
    client: Client, ids: list[str], values: dict[str, list[int]], rows: list[int]
) -> None:
    with pytest.raises(ServeError) as caught:
        client.add_truth("echo", ids, values, rows)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_what_is_wrong_is_said(client: Client) -> None:
    for act, code in (
        (lambda: client.monitor("none"), Code.NOT_FOUND),
        (
            lambda: client.add_monitor(NewMonitor(name="x", model="echo", kind="performance")),
            Code.INVALID_ARGUMENT,
        ),
        (lambda: client.add_baseline(b"", ".csv"), Code.INVALID_ARGUMENT),
        (lambda: client.acknowledge_alert(99_999), Code.NOT_FOUND),
        (lambda: client.add_truth("echo", ["a", "b"], {"l": [1, "one"]}), Code.INVALID_ARGUMENT),
    ):
        with pytest.raises(ServeError) as caught:
            act()
        assert caught.value.code is code


def test_a_server_that_keeps_nothing_says_so(tmp_path: Path) -> None:
    with (
        running(tmp_path) as gateway,
        client_of(gateway) as client,
        pytest.raises(ServeError, match="--log-payloads"),
    ):
        client.monitors()


def test_keys_see_the_monitors_of_their_models(tmp_path: Path) -> None:
    monitoring = MonitorOptions(tmp_path, {"*": Collection()})
    with running(tmp_path, monitoring=monitoring) as gateway, client_of(gateway) as owner:
        for model in ("mine", "yours"):
            owner.add_monitor(NewMonitor(name=f"of-{model}", model=model, kind="service"))
        secret = owner.create_key("eve", role="operator", models=["mine"]).secret
        with client_of(gateway, secret) as eve:
            assert [m.name for m in eve.monitors()] == ["of-mine"]
            for act in (
                lambda: eve.monitor("of-yours"),
                lambda: eve.run_monitor("of-yours"),
                lambda: eve.add_truth("yours", ["a"], {"l": [1]}),
                lambda: eve.add_monitor(NewMonitor(name="n", model="yours", kind="service")),
                lambda: eve.query_requests("mine", "SELECT 1"),
            ):
                with pytest.raises(ServeError) as caught:
                    act()
                assert caught.value.code is Code.FORBIDDEN


def test_the_command_line_does_it_all(
    watched: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = ["--server", watched.server.http_url]

    def said(*arguments: str, code: int = 0) -> str:
        assert main(["monitor", *arguments, *server]) == code
        return capsys.readouterr().out

    (tmp_path / "b.csv").write_text("x\n" + "0\n1\n" * 50)
    baseline = str(tmp_path / "b.csv")
    assert "watches echo" in said(
        "add", "shell", "echo", "data_drift", "--baseline", baseline, "--metric", "psi=0.5"
    )
    assert "ok, " in said("run", "shell") and "psi" in said("show", "shell")
    assert "shell" in said("list") and "paused" in said("pause", "shell")
    (tmp_path / "t.csv").write_text("id,score,word\nr1,0.5,yes\nr2,1,\n")
    assert said("truth", "echo", str(tmp_path / "t.csv")) == "2 rows of truth for echo\n"
    rows = said("query", "echo", 'SELECT id, "truth.score" FROM truth WHERE "truth.word" = \'yes\'')
    assert rows.split() == ["id", "truth.score", "r1", "0.5"]
    assert json.loads(said("list", "--json"))[0]["name"] == "shell"
    said("add", "shell", "echo", "service", "--metric", "latency_p95_ms=0.000001", "--replace")
    assert "alert" in said("run", "shell", code=1) and "shell" in said("alerts")
    assert "is removed" in said("remove", "shell")
    assert main(["monitor", "show", "shell", *server]) == 1
    assert "no monitor" in capsys.readouterr().err
    assert main(["monitor", "dashboard"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Sardonyx"


def test_a_home_is_watched_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    assert main(["monitor", "add", "quiet", "m", "service", *home]) == 0
    assert main(["monitor", "run", "quiet", *home]) == 0
    assert "too_few" in capsys.readouterr().out

"""`sardonyx monitor`: what is asked of the server, how runs read, and what proved true from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sardonyx.protocol import monitors as m
from sardonyx.tools.commands import monitor
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import BY, NOW, Server

MONITOR = m.Monitor(name="n", model="a", kind="data_drift", state="ok", last_run_at=NOW, **BY)
VALUES = [
    m.Value(metric="psi", column="in.x", value=0.01234567, threshold=0.2),
    m.Value(metric="rows", value=None, threshold=None),
    m.Value(metric="psi", column="in.y", value=0.5, threshold=0.2, breached=True),
]
RUN = m.Run(monitor="n", at=NOW, since=NOW, until=NOW, state="alert", rows=9, message="drift", values=VALUES)
ALERT = m.Alert(number=7, monitor="n", model="a", message="drift", began_at=NOW)
PATH = "/api/monitors/n"
QUIET = [
    (("list",), "GET /api/monitors", [], None, "no monitor yet"),
    (("alerts",), "GET /api/alerts", [], None, "no alert yet"),
    (("pause", "n"), f"PATCH {PATH}", MONITOR, {"enabled": False}, "n is paused"),
    (("resume", "n"), f"PATCH {PATH}", MONITOR, {"enabled": True}, "n runs by its schedule"),
    (("remove", "n"), f"DELETE {PATH}", None, None, "n is removed"),
    (("seen", "7"), "POST /api/alerts/7/acknowledge", ALERT, None, "alert 7 was seen by "),
]


@pytest.mark.parametrize(
    ("words", "question", "answer", "sent", "told"), QUIET, ids=lambda value: str(value)[:20]
)
def test_acts_without_more(
    words: Any,
    question: str,
    answer: Any,
    sent: Any,
    told: str,
    server: Server,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.says(question, answer)
    assert server.run(monitor, "monitor", *words) == 0
    assert server.asked == [(question, sent)]
    assert capsys.readouterr().out == f"{told}\n"
    assert server.run(monitor, "monitor", *words, "--json") == 0
    json.loads(capsys.readouterr().out)


def test_lists(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says(
        "GET /api/monitors", [MONITOR, msgspec.structs.replace(MONITOR, enabled=False, last_run_at=None)]
    )
    server.says("GET /api/alerts", [ALERT])
    assert server.run(monitor, "monitor", "list") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "n        a      data_drift  ok           2026-01-02 03:04",
        "n        a      data_drift  ok (paused)",
    ]
    assert server.run(monitor, "monitor", "alerts") == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["7", "n", "2026-01-02", "03:04", "drift"]


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("too_few", 0), ("alert", 1), ("failed", 1)])
def test_a_run_fails_if_it_alerts(
    state: Any, code: int, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.says(f"POST {PATH}/run", msgspec.structs.replace(RUN, state=state))
    assert server.run(monitor, "monitor", "run", "n") == code
    assert capsys.readouterr().out.splitlines() == [
        f"{state}, 9 rows: drift",
        "column  metric  value    threshold",
        "in.y    psi     0.5      0.2        beyond",
        "in.x    psi     0.01235  0.2",
        "all     rows",
    ]
    assert server.run(monitor, "monitor", "run", "n", "--json") == code


def test_what_was_found_last(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says(f"GET {PATH}", MONITOR)
    server.says(f"GET {PATH}/runs?limit=1", [])
    assert server.run(monitor, "monitor", "show", "n") == 0
    assert capsys.readouterr().out == "n watches a: data_drift, every P1D\n"
    server.says(f"GET {PATH}/runs?limit=1", [RUN])
    assert server.run(monitor, "monitor", "show", "n", "--json") == 0
    assert json.loads(capsys.readouterr().out)["run"]["state"] == "alert"


def test_a_monitor_is_added(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.says("POST /api/monitors?replace=1", MONITOR)
    server.says("POST /api/baselines", m.StoredBaseline(name="kept.csv"))
    (tmp_path / "b.csv").write_text("x\n1\n")
    words = [
        "--baseline",
        str(tmp_path / "b.csv"),
        "--metric",
        "psi=0.3",
        "--metric",
        "ks",
        "--kind-of",
        "in.x=number",
    ]
    words += ["--webhook", "https://x", "--email", "a@b", "--replace", "--target", "y"]
    assert server.run(monitor, "monitor", "add", "n", "a", "data_drift", *words) == 0
    assert capsys.readouterr().out == "n watches a\n"
    (first, content), (_, sent) = server.asked
    assert first == "POST /api/baselines" and content["suffix"] == ".csv"
    assert (sent["metrics"], sent["thresholds"], sent["kinds"]) == (
        ["psi", "ks"],
        {"psi": 0.3},
        {"in.x": "number"},
    )
    assert sent["baseline"] == {"file": "kept.csv", "window": "7d", "offset": "1d", "target": "y"}
    assert sent["notify"] == [{"webhook": "https://x", "email": ""}, {"webhook": "", "email": "a@b"}]
    with pytest.raises(UserError, match="--metric psi=much: the threshold must be a number"):
        server.run(monitor, "monitor", "add", "n", "a", "service", "--metric", "psi=much")


def test_what_proved_true(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.says("POST /api/models/a/truth", m.Counted(rows=2))
    file = tmp_path / "t.csv"
    file.write_text("\ufeffid,row,label,note\ni,0,1,yes\nj,3,2.5,\n", encoding="utf-8")
    assert server.run(monitor, "monitor", "truth", "a", str(file)) == 0
    assert server.asked[0][1] == {
        "ids": ["i", "j"], "values": {"label": [1, 2.5], "note": ["yes", None]}, "rows": [0, 3],
    }  # fmt: skip
    assert capsys.readouterr().out == "2 rows of truth for a\n"
    for text in ("", "id,label\n", "name,label\na,1\n"):
        file.write_text(text)
        with pytest.raises(UserError, match=r"t\.csv needs a first line with a column `id`"):
            server.run(monitor, "monitor", "truth", "a", str(file))


def test_requests_in_sql(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says("POST /api/models/a/requests", m.Rows(names=["x", "y"], rows=[[1, None], [22, "b"]]))
    assert server.run(monitor, "monitor", "query", "a", "select") == 0
    assert server.asked[0][1] == {"sql": "select", "limit": 1000}
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["x", "y"], ["1"], ["22", "b"]]


def test_what_makes_no_sense(server: Server) -> None:
    with pytest.raises(UserError, match="'seven' is not a number of an alert"):
        server.run(monitor, "monitor", "seen", "seven")
    with pytest.raises(SystemExit):
        server.run(monitor, "monitor", "add", "n", "a", "no_such_kind")


def test_the_dashboard(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.unit.tools.commands.running import run

    assert run(monitor, "monitor", "dashboard") == 0
    assert json.loads(capsys.readouterr().out)["panels"]

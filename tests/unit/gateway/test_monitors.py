"""Monitors in the table of administration: what needs a payload log, and who may see which model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.gateway.monitors import OPERATIONS
from sardonyx.gateway.operations import Administration, Call
from sardonyx.monitor.capture import Capture, Collection
from sardonyx.monitor.payload import PayloadLog
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.monitors import NewMonitor, Question, Switch, Truth
from tests.monitor.records import record
from tests.unit.gateway.around import administration

BY_ROUTE = {(o.method, o.path): o for o in OPERATIONS}
WATCH = NewMonitor(name="watch", model="m", kind="service", min_rows=1)


@pytest.fixture
def made(tmp_path: Path) -> Administration:
    found = administration(tmp_path / "home")
    assert found.monitors is not None
    log = PayloadLog(Capture({"*": Collection()}), found.monitors.store)
    for number in range(3):
        finished_s = time.time() - 60
        log.capture.observe(record({"x": np.float32([[number]])}, id=f"{number}", finished_s=finished_s))
    log.flush()
    return found


def act(
    made: Administration, route: str, body: Any = None, models: tuple[str, ...] = ("*",), **path: str
) -> Any:
    method, _, where = route.partition(" ")
    query = {key.removeprefix("query_"): value for key, value in path.items() if key.startswith("query_")}
    names = {key: value for key, value in path.items() if not key.startswith("query_")}
    call = Call(Principal("tester", models=models), names, query, body)
    return BY_ROUTE[method, where].act(made, call)


def test_a_monitor_is_added_switched_and_removed(made: Administration) -> None:
    assert act(made, "POST /monitors", WATCH).created_by == "tester"
    with pytest.raises(ServeError) as caught:
        act(made, "POST /monitors", WATCH)
    assert caught.value.code is Code.CONFLICT
    assert act(made, "POST /monitors", WATCH, query_replace="1").name == "watch"
    assert [m.name for m in act(made, "GET /monitors")] == ["watch"]
    switch = next(r for r in BY_ROUTE if BY_ROUTE[r].body is Switch)
    assert not act(made, " ".join(switch), Switch(enabled=False), monitor="watch").enabled
    act(made, "DELETE /monitors/{monitor}", monitor="watch")
    assert act(made, "GET /monitors") == []


def test_who_is_not_for_a_model_sees_none_of_it(made: Administration) -> None:
    act(made, "POST /monitors", WATCH)
    assert act(made, "GET /monitors", models=("other",)) == []
    with pytest.raises(ServeError, match="'tester' has no access to 'm'") as caught:
        act(made, "GET /monitors/{monitor}", models=("other",), monitor="watch")
    assert caught.value.code is Code.FORBIDDEN


def test_questions_and_truths(made: Administration) -> None:
    ask, tell = (next(r for r in BY_ROUTE if BY_ROUTE[r].body is kind) for kind in (Question, Truth))
    question = Question(sql="SELECT count(*) AS n FROM requests", limit=5)
    found = act(made, " ".join(ask), question, model="m")
    assert (found.names, found.rows) == (["n"], [[3]])
    counted = act(made, " ".join(tell), Truth(ids=["1", "2"], values={"label": [0, 1]}), model="m")
    assert counted.rows == 2
    known = act(made, " ".join(ask), Question(sql="SELECT id FROM truth ORDER BY id"), model="m")
    assert known.rows == [["1"], ["2"]]


def test_without_a_payload_log_there_is_nothing_to_watch(tmp_path: Path) -> None:
    plain = administration(tmp_path / "plain", watches=False)
    with pytest.raises(ServeError, match="start it with --log-payloads") as caught:
        act(plain, "GET /monitors")
    assert caught.value.code is Code.UNSUPPORTED

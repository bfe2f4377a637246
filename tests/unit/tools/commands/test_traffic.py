"""`sardonyx traffic`, `promote`, `rollback`, `canary`: what is asked, and which numbers are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sardonyx.protocol import records as r
from sardonyx.tools.commands import traffic
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import BY, Server

ENDPOINT = r.Endpoint(name="sum", **BY)
PATH = "/api/endpoints/sum"
PLAN = {
    "deployment": "green", "steps": [5, 25, 50, 100], "interval_s": 300, "min_requests": 20,
    "max_error_rate": 0.01, "max_latency_ratio": 1.5, "quantile": 0.95,
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "question", "sent"),
    [
        (("traffic", "sum", "blue=90", "green=10%", "--reason", "why"), f"PUT {PATH}/traffic",
         {"weights": {"blue": 90, "green": 10}, "shadows": None, "reason": "why"}),
        (("traffic", "sum", "--shadow", "green=50"), f"PUT {PATH}/traffic",
         {"weights": None, "shadows": {"green": 50}, "reason": ""}),
        (("promote", "sum", "green", "--reason", "why"), f"POST {PATH}/promote",
         {"deployment": "green", "reason": "why"}),
        (("promote", "sum"), f"POST {PATH}/promote", {"deployment": "", "reason": ""}),
        (("rollback", "sum"), f"POST {PATH}/rollback", {"reason": ""}),
        (("canary", "sum"), f"GET {PATH}", None),
        (("canary", "sum", "--cancel"), f"DELETE {PATH}/canary", None),
        (("canary", "sum", "green"), f"POST {PATH}/canary", PLAN),
        (("canary", "sum", "green", "--steps", "10,100", "--interval", "30s", "--quantile", "0.5"),
         f"POST {PATH}/canary", PLAN | {"steps": [10, 100], "interval_s": 30, "quantile": 0.5}),
    ],
)  # fmt: skip
def test_what_is_asked(
    words: tuple[str, ...], question: str, sent: Any, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.says(question, ENDPOINT)
    assert server.run(traffic, *words) == 0
    assert server.asked == [(question, sent)]
    assert capsys.readouterr().out.startswith("sum\n")


def test_what_was(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says(f"GET {PATH}/traffic", [])
    assert server.run(traffic, "traffic", "sum") == 0
    assert capsys.readouterr().out == "sum has no traffic yet\n"
    rows = [
        r.Traffic(
            number=2, parent=1, weights={"blue": 90, "green": 10}, shadows={"red": 5}, current=True, **BY
        ),
        r.Traffic(number=1, parent=0, weights={"blue": 100}, reason="first", **BY),
    ]
    server.says(f"GET {PATH}/traffic", rows)
    assert server.run(traffic, "traffic", "sum") == 0
    now, before = capsys.readouterr().out.splitlines()
    assert now.split("  ")[:2] == ["* 2", "blue=90 green=10"] and "shadow red=5" in now
    assert before.startswith("  1  blue=100") and before.endswith("me  first")
    assert server.run(traffic, "traffic", "sum", "--json") == 0
    assert [row["number"] for row in json.loads(capsys.readouterr().out)] == [2, 1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("traffic", "sum", "blue=much"), "blue=much: 'much' is not a percentage"),
        (("traffic", "sum", "blue"), "traffic blue: expected KEY=VALUE"),
        (("traffic", "sum", "--shadow", "blue"), "--shadow blue: expected KEY=VALUE"),
        (("canary", "sum", "green", "--steps", "5,"), "--steps 5,: expected percentages such as"),
        (("canary", "sum", "green", "--interval", "soon"), "'soon' is not a time"),
    ],
)
def test_numbers_that_are_none(words: tuple[str, ...], told: str, server: Server) -> None:
    with pytest.raises(UserError, match=told):
        server.run(traffic, *words)
    assert server.asked == []

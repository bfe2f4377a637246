"""Every call of the clients with the request that it must become, and the answer that must come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from sardonyx.protocol import monitors as m
from sardonyx.protocol import records as r

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BY: dict[str, Any] = {"created_at": NOW, "created_by": "me"}
MODEL = r.Model(name="a", versions=["1"], latest="1", **BY)
VERSION = r.Version(model="a", version="1", digest="d", size_bytes=3, **BY)
ENDPOINT = r.Endpoint(name="e", **BY)
KEY = r.Key(prefix="sdx_1", name="k", scopes=["infer"], **BY)
TRAFFIC = r.Traffic(number=1, parent=0, weights={"blue": 100}, **BY)
MONITOR = m.Monitor(name="n", model="a", kind="service", **BY)
NEW_MONITOR = m.NewMonitor(name="n", model="a", kind="service")
RUN = m.Run(monitor="n", at=NOW, since=NOW, until=NOW, state="ok")
ALERT = m.Alert(number=7, monitor="n", model="a", message="drift", began_at=NOW)
PLAN = r.CanaryPlan(deployment="green")


@dataclass(frozen=True)
class Call:
    """A call, `method` and `path` of its request (with the query), the JSON that it sends, its answer."""

    name: str
    given: tuple[Any, ...]
    method: str
    path: str
    body: Any = None
    answer: Any = None
    named: dict[str, Any] = field(default_factory=dict)


def call(name: str, *given: Any, to: str, sends: Any = None, answer: Any = None, **named: Any) -> Call:
    """A call; `to` is method and path."""
    method, _, path = to.partition(" ")
    return Call(name, given, method, path, sends, answer, named)


OF_MODELS = (
    call("metadata", to="GET /v2", answer={"name": "sardonyx"}),
    call("metadata", "a", "1", to="GET /v2/models/a/versions/1", answer={"name": "a"}),
    call("statistics", to="GET /v2/models/stats", answer={"model_stats": []}),
    call("statistics", "a", to="GET /v2/models/a/stats", answer={"model_stats": []}),
    call("repository", to="POST /v2/repository/index", sends={}, answer=[{"name": "a", "state": "READY"}]),
    call("load", "a", to="POST /v2/repository/models/a/load", sends={}),
    call("unload", "a", to="POST /v2/repository/models/a/unload", sends={}),
    call("models", to="GET /api/models?name=%2A", answer=[MODEL]),
    call("models", "a*", {"t": "1", "u": "2"}, to="GET /api/models?name=a%2A&tag=t%3D1%2Cu%3D2", answer=[]),
    call("model", "a b", to="GET /api/models/a%20b", answer=MODEL),
    call("create_model", "a", tags={"t": "1"}, to="POST /api/models",
         sends={"name": "a", "description": "", "tags": {"t": "1"}}, answer=MODEL),
    call("change_model", "a", tags={"t": None}, to="PATCH /api/models/a",
         sends={"description": None, "tags": {"t": None}}, answer=MODEL),
    call("delete_model", "a", to="DELETE /api/models/a"),
    call("versions", "a", to="GET /api/models/a/versions", answer=[VERSION]),
    call("version", "a", "@best", to="GET /api/models/a/versions/@best", answer=VERSION),
    call("change_version", "a", "1", stage="staging", to="PATCH /api/models/a/versions/1",
         sends={"stage": "staging", "description": None, "tags": {}}, answer=VERSION),
    call("delete_version", "a", "1", to="DELETE /api/models/a/versions/1"),
    call("register", "a", "https://x/m.onnx", aliases=["best"], config={"max_batch_size": 4}, force=True,
         to="POST /api/models/a/versions",
         sends={"source": "https://x/m.onnx", "samples": "", "aliases": ["best"], "stage": "none",
                "description": "", "tags": {}, "lineage": msgspec.to_builtins(r.Lineage()),
                "config": {"max_batch_size": 4}, "force": True}, answer=VERSION),
    call("set_alias", "a", "@best", "1", to="PUT /api/models/a/aliases/best",
         sends={"version": "1"}, answer=MODEL),
    call("remove_alias", "a", "best", to="DELETE /api/models/a/aliases/best", answer=MODEL),
)  # fmt: skip
OF_ENDPOINTS = (
    call("endpoints", to="GET /api/endpoints?name=%2A", answer=[ENDPOINT]),
    call("endpoint", "e", to="GET /api/endpoints/e", answer=ENDPOINT),
    call("create_endpoint", "e", sticky_header="user", to="POST /api/endpoints",
         sends={"name": "e", "description": "", "sticky_header": "user"}, answer=ENDPOINT),
    call("delete_endpoint", "e", to="DELETE /api/endpoints/e"),
    call("deploy", "e", "a", "@best", weight=10, to="POST /api/endpoints/e/deployments",
         sends={"model": "a", "version": "@best", "name": "", "weight": 10, "shadow": 0}, answer=ENDPOINT),
    call("undeploy", "e", "blue", to="DELETE /api/endpoints/e/deployments/blue", answer=ENDPOINT),
    call("set_traffic", "e", {"blue": 100}, reason="why", to="PUT /api/endpoints/e/traffic",
         sends={"weights": {"blue": 100}, "shadows": None, "reason": "why"}, answer=ENDPOINT),
    call("set_traffic", "e", shadows={"blue": 5}, to="PUT /api/endpoints/e/traffic",
         sends={"weights": None, "shadows": {"blue": 5}, "reason": ""}, answer=ENDPOINT),
    call("traffic", "e", to="GET /api/endpoints/e/traffic", answer=[TRAFFIC]),
    call("promote", "e", "blue", to="POST /api/endpoints/e/promote",
         sends={"deployment": "blue", "reason": ""}, answer=ENDPOINT),
    call("rollback", "e", reason="why", to="POST /api/endpoints/e/rollback",
         sends={"reason": "why"}, answer=ENDPOINT),
    call("start_canary", "e", PLAN, to="POST /api/endpoints/e/canary",
         sends=msgspec.to_builtins(PLAN), answer=ENDPOINT),
    call("cancel_canary", "e", to="DELETE /api/endpoints/e/canary", answer=ENDPOINT),
    call("differences", "e", 5, to="GET /api/endpoints/e/differences?limit=5",
         answer=[r.Difference(deployment="blue", shadow="green", at=NOW)]),
    call("api_keys", to="GET /api/keys", answer=[KEY]),
    call("api_keys", all=True, to="GET /api/keys?all=1", answer=[]),
    call("create_key", "k", role="user", expires_in_s=60.0, to="POST /api/keys",
         sends={"name": "k", "role": "user", "scopes": [], "models": ["*"], "quotas": [], "expires_in_s": 60},
         answer=r.IssuedKey(prefix="p", name="k", scopes=[], secret="s", **BY)),
    call("revoke_key", "sdx_1", to="DELETE /api/keys/sdx_1", answer=KEY),
    call("audit", subject="e", to="GET /api/audit?limit=100&subject=e&actor=", answer=[]),
    call("audit", limit=2, before=9, to="GET /api/audit?limit=2&subject=&actor=&before=9", answer=[]),
    call("check_audit", to="GET /api/audit/check", answer=r.AuditCheck(entries=3)),
    call("identity", to="GET /api/identity", answer=r.Identity(name="me")),
)  # fmt: skip
OF_MONITORS = (
    call("monitors", to="GET /api/monitors", answer=[MONITOR]),
    call("monitors", "a", to="GET /api/monitors?model=a", answer=[]),
    call("monitor", "n", to="GET /api/monitors/n", answer=MONITOR),
    call("add_monitor", NEW_MONITOR, to="POST /api/monitors",
         sends=msgspec.to_builtins(NEW_MONITOR), answer=MONITOR),
    call("add_monitor", NEW_MONITOR, replace=True, to="POST /api/monitors?replace=1",
         sends=msgspec.to_builtins(NEW_MONITOR), answer=MONITOR),
    call("switch_monitor", "n", False, to="PATCH /api/monitors/n", sends={"enabled": False}, answer=MONITOR),
    call("delete_monitor", "n", to="DELETE /api/monitors/n"),
    call("run_monitor", "n", to="POST /api/monitors/n/run", answer=RUN),
    call("monitor_runs", "n", 3, to="GET /api/monitors/n/runs?limit=3", answer=[RUN]),
    call("alerts", to="GET /api/alerts", answer=[ALERT]),
    call("alerts", open=True, to="GET /api/alerts?open=1", answer=[]),
    call("acknowledge_alert", 7, to="POST /api/alerts/7/acknowledge", answer=ALERT),
    call("add_baseline", b"a,b", ".csv", to="POST /api/baselines",
         sends={"content": "YSxi", "suffix": ".csv"}, answer=m.StoredBaseline(name="x.csv")),
    call("add_truth", "a", ("i", "j"), {"label": (1, 0)}, to="POST /api/models/a/truth",
         sends={"ids": ["i", "j"], "values": {"label": [1, 0]}, "rows": []}, answer=m.Counted(rows=2)),
    call("query_requests", "a", "select 1", to="POST /api/models/a/requests",
         sends={"sql": "select 1", "limit": 1000}, answer=m.Rows(names=["1"], rows=[[1]])),
)  # fmt: skip


class Server:
    """Answers every request alike and notes it."""

    def __init__(self, answer: Any = None, status: int = 200) -> None:
        self.content = msgspec.json.encode(answer)
        self.status = status
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self.status, content=self.content)

    def was_asked(self, row: Call) -> None:
        """The one request of a call was as it must be."""
        (request,) = self.asked
        assert (request.method, request.url.raw_path.decode()) == (row.method, row.path)
        sent = msgspec.json.decode(request.content) if request.content else None
        assert sent == msgspec.json.decode(msgspec.json.encode(row.body))

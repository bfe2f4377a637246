"""The Grafana dashboard of our metrics, generated from their table.

Decides panels and queries; every series in a query is one of the table. Must not know Grafana's server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_SELECT = '{model=~"$model",version=~"$version"}'
_WIDTH = 24
_UNITS = {"s": "s", "B": "bytes", "/s": "reqps", "%": "percentunit", "": "short"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: `queries` are (PromQL, legend); `width` in columns of 24."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = ""
    width: int = 12
    kind: str = "timeseries"


def _rate(series: str, by: str = "model, version") -> str:
    return f"sum by ({by}) (rate({series}{_SELECT}[$__rate_interval]))"


def _quantile(share: float, series: str) -> str:
    return f"histogram_quantile({share}, {_rate(series, 'le, model')})"


def _quantiles(series: str) -> tuple[tuple[str, str], ...]:
    return tuple((_quantile(share, series), f"{{{{model}}}} p{share * 100:g}") for share in (0.5, 0.95, 0.99))


_LEGEND = "{{model}} {{version}}"
ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Traffic",
        (
            Panel(
                "Requests",
                (
                    (
                        _rate("sardonyx_requests_total", "model, version, deployment"),
                        _LEGEND + " {{deployment}}",
                    ),
                ),
                "/s",
            ),
            Panel(
                "Failed",
                (
                    (
                        'sum by (model, outcome) (rate(sardonyx_requests_total{model=~"$model",outcome!="ok"}'
                        "[$__rate_interval]))",
                        "{{model}} {{outcome}}",
                    ),
                ),
                "/s",
            ),
        ),
    ),
    (
        "Latency",
        (
            Panel("Request", _quantiles("sardonyx_request_duration_seconds_bucket"), "s"),
            Panel("Queue", _quantiles("sardonyx_queue_duration_seconds_bucket"), "s"),
            Panel("Model", _quantiles("sardonyx_infer_duration_seconds_bucket"), "s"),
            Panel(
                "Assembling and taking apart, p95",
                (
                    (_quantile(0.95, "sardonyx_input_duration_seconds_bucket"), "{{model}} in"),
                    (_quantile(0.95, "sardonyx_output_duration_seconds_bucket"), "{{model}} out"),
                ),
                "s",
            ),
        ),
    ),
    (
        "Batches and memory",
        (
            Panel(
                "Rows per run",
                ((f"{_rate('sardonyx_rows_total')} / {_rate('sardonyx_executions_total')}", _LEGEND),),
            ),
            Panel(
                "Share of the fast lane",
                (
                    (
                        f"{_rate('sardonyx_fast_lane_requests_total')} / {_rate('sardonyx_requests_total')}",
                        _LEGEND,
                    ),
                ),
            ),
            Panel("Rows of the batch, p50", ((_quantile(0.5, "sardonyx_batch_rows_bucket"), "{{model}}"),)),
            Panel("Waiting", ((f"sardonyx_queue_requests{_SELECT}", _LEGEND),)),
            Panel("Model memory", ((f"sardonyx_model_memory_bytes{_SELECT}", _LEGEND),), "B"),
            Panel("Ready", ((f"sardonyx_model_ready{_SELECT}", _LEGEND),), width=8, kind="stat"),
            Panel("Release", (("sardonyx_build_info", "{{release}}"),), width=4, kind="stat"),
        ),
    ),
    (
        "Monitors",
        (
            Panel(
                "Alerts", (('sardonyx_monitor_alert{model=~"$model"}', "{{monitor}}"),), width=8, kind="stat"
            ),
            Panel(
                "Values",
                (
                    ('sardonyx_monitor_value{model=~"$model"}', "{{monitor}} {{metric}} {{column}}"),
                    ('sardonyx_monitor_threshold{model=~"$model"}', "{{monitor}} {{metric}} threshold"),
                ),
                width=16,
            ),
            Panel(
                "Since the last run",
                (('time() - sardonyx_monitor_run_timestamp_seconds{model=~"$model"}', "{{monitor}}"),),
                "s",
                8,
            ),
            Panel(
                "Payload log",
                (
                    (
                        'sum by (model) (rate(sardonyx_payload_rows_total{model=~"$model"}'
                        "[$__rate_interval]))",
                        "{{model}}",
                    ),
                    ("rate(sardonyx_payload_dropped_total[$__rate_interval])", "missed"),
                ),
                "/s",
                8,
            ),
            Panel("Payload log on disk", (("sardonyx_payload_bytes", "bytes"),), "B", 8),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it (schema 39); its data source and models are variables."""
    panels: list[dict[str, Any]] = []
    x = y = 0
    for title, row in ROWS:
        x, y = 0, y + (8 if x else 0)
        panels.append(_row(title, y, len(panels) + 1))
        y += 1
        for panel in row:
            if x + panel.width > _WIDTH:
                x, y = 0, y + 8
            panels.append(_panel(panel, x, y, len(panels) + 1))
            x += panel.width
    return {
        "title": "Sardonyx",
        "uid": "sardonyx",
        "tags": ["sardonyx", "inference"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), _variable("model"), _variable("version", 'model=~"$model"')]},
        "panels": panels,
    }


def _row(title: str, y: int, number: int) -> dict[str, Any]:
    place = {"h": 1, "w": _WIDTH, "x": 0, "y": y}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(panel: Panel, x: int, y: int, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": {"h": 8, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": _UNITS[panel.unit], "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + i), "expr": query, "legendFormat": legend}
            for i, (query, legend) in enumerate(panel.queries)
        ],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _variable(label: str, matching: str = "") -> dict[str, Any]:
    return {
        "name": label,
        "label": label.capitalize(),
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "query": f"label_values(sardonyx_requests_total{{{matching}}}, {label})",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
    }

"""`sardonyx monitor`: what watches models, what it found, what proved true, and kept requests in SQL."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sardonyx.base.explanation import count
from sardonyx.tools.console import UserError, print_json, table
from sardonyx.tools.inputs import parse_pairs
from sardonyx.tools.models import add_json_option
from sardonyx.tools.server import add_server_options, administered, plain, time_ago

if TYPE_CHECKING:
    from sardonyx.client import Client

KINDS = ("data_drift", "prediction_drift", "data_quality", "performance", "service")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "monitor",
        help="watch models: drift, quality, performance, alerts",
        description="Monitors look at the requests that `sardonyx serve --log-payloads` keeps.",
    )
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    rows: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = (
        ("list", "list monitors", _list, ()),
        ("show", "show what a monitor found last", _show, ("NAME",)),
        ("run", "run a monitor now; exit code 1 if it alerts", _run, ("NAME",)),
        ("pause", "let a monitor not run by its schedule", _pause, ("NAME",)),
        ("resume", "let a monitor run by its schedule", _resume, ("NAME",)),
        ("remove", "remove a monitor with all that it found", _remove, ("NAME",)),
        ("alerts", "list alerts", _alerts, ()),
        ("seen", "say that an alert was seen", _acknowledge, ("NUMBER",)),
        ("truth", "say what proved true, from a CSV file with a column `id`", _truth, ("MODEL", "FILE")),
        ("query", "ask the kept requests of a model in SQL", _query, ("MODEL", "SQL")),
    )
    for name, text, act, arguments in rows:
        _act(acts, name, text, act, arguments)
    _add_options(_act(acts, "add", "add a monitor", _add, ("NAME", "MODEL", "KIND")))
    dashboard = acts.add_parser("dashboard", help="print the Grafana dashboard of the server's metrics")
    add_json_option(dashboard)
    dashboard.set_defaults(command_function=_dashboard)


def _act(acts: Any, name: str, text: str, act: Any, arguments: tuple[str, ...]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = acts.add_parser(name, help=text, description=text.capitalize() + ".")
    for argument in arguments:
        parser.add_argument(argument.lower(), metavar=argument, choices=KINDS if argument == "KIND" else None)
    add_server_options(parser)
    parser.set_defaults(command_function=administered(act))
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", default="", help="only this version of the model")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help=".csv, .parquet or .npz")
    parser.add_argument("--target", default="", metavar="COLUMN", help="of the file that is not an input")
    parser.add_argument("--window", default="7d", help="or the requests of so long (default 7d)")
    parser.add_argument("--offset", default="1d", help="that ended so long ago (default 1d)")
    parser.add_argument("--every", default="1d", help="run every (default 1d)")
    parser.add_argument("--lookback", default="1d", help="look at the last (default 1d)")
    parser.add_argument(
        "--column", action="append", default=[], metavar="PATTERN", help="such as in.* or out.y"
    )
    parser.add_argument(
        "--metric", action="append", default=[], metavar="NAME[=THRESHOLD]", help="instead of the usual ones"
    )
    parser.add_argument(
        "--kind-of", action="append", default=[], metavar="COLUMN=KIND", help="number, category"
    )
    parser.add_argument(
        "--prediction", default="", metavar="COLUMN", help="for performance, such as out.label"
    )
    parser.add_argument("--truth", default="label", metavar="NAME", help="for performance (default label)")
    parser.add_argument(
        "--min-rows", type=int, default=50, metavar="N", help="judge nothing below (default 50)"
    )
    parser.add_argument("--webhook", action="append", default=[], metavar="URL", help="told of alerts")
    parser.add_argument("--email", action="append", default=[], metavar="ADDRESS", help="told of alerts")
    parser.add_argument("--replace", action="store_true", help="in the place of one of that name")


def _add(options: argparse.Namespace, client: Client) -> int:
    from sardonyx.protocol.monitors import Baseline, NewMonitor, Notice

    file = ""
    if options.baseline is not None:
        file = client.add_baseline(options.baseline.read_bytes(), options.baseline.suffix).name
    metrics = [text.partition("=") for text in options.metric]
    notices = [Notice(webhook=url) for url in options.webhook]
    monitor = client.add_monitor(
        NewMonitor(
            name=options.name,
            model=options.model,
            kind=options.kind,
            version=options.version,
            metrics=[name for name, _, _ in metrics],
            thresholds={name: _threshold(name, text) for name, sign, text in metrics if sign},
            columns=options.column,
            kinds=parse_pairs(options.kind_of, "--kind-of"),
            baseline=Baseline(file=file, window=options.window, offset=options.offset, target=options.target),
            prediction=options.prediction,
            truth=options.truth,
            lookback=options.lookback,
            every=options.every,
            min_rows=options.min_rows,
            notify=notices + [Notice(email=address) for address in options.email],
        ),
        replace=options.replace,
    )
    return _told(options, monitor, f"{monitor.name} watches {monitor.model}")


def _threshold(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"--metric {name}={text}: the threshold must be a number") from None


def _list(options: argparse.Namespace, client: Client) -> int:
    found = client.monitors()
    rows = [["monitor", "model", "kind", "state", "last run"]]
    rows += [[m.name, m.model, m.kind, _state(m), time_ago(m.last_run_at)] for m in found]
    return _told(options, found, table(rows, indent="") if found else "no monitor yet")


def _state(monitor: Any) -> str:
    return monitor.state if monitor.enabled else f"{monitor.state} (paused)"


def _show(options: argparse.Namespace, client: Client) -> int:
    monitor, runs = client.monitor(options.name), client.monitor_runs(options.name, 1)
    if options.json:
        print_json({"monitor": plain(monitor), "run": plain(runs[0]) if runs else None})
        return 0
    print(f"{monitor.name} watches {monitor.model}: {monitor.kind}, every {monitor.every}")
    if runs:
        _print_run(runs[0])
    return 0


def _run(options: argparse.Namespace, client: Client) -> int:
    run = client.run_monitor(options.name)
    if options.json:
        print_json(plain(run))
    else:
        _print_run(run)
    return 1 if run.state in ("alert", "failed") else 0


def _print_run(run: Any) -> None:
    print(f"{run.state}, {run.rows} rows{f': {run.message}' if run.message else ''}")
    rows = [
        [v.column or "all", v.metric, _number(v.value), _number(v.threshold), "beyond" if v.breached else ""]
        for v in sorted(run.values, key=lambda v: not v.breached)
    ]
    if rows:
        print(table([["column", "metric", "value", "threshold", ""], *rows], indent=""))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _pause(options: argparse.Namespace, client: Client) -> int:
    return _told(options, client.switch_monitor(options.name, False), f"{options.name} is paused")


def _resume(options: argparse.Namespace, client: Client) -> int:
    return _told(options, client.switch_monitor(options.name, True), f"{options.name} runs by its schedule")


def _remove(options: argparse.Namespace, client: Client) -> int:
    client.delete_monitor(options.name)
    return _told(options, {"removed": options.name}, f"{options.name} is removed")


def _alerts(options: argparse.Namespace, client: Client) -> int:
    found = client.alerts()
    rows = [["no.", "monitor", "began", "ended", "seen by", "found"]]
    rows += [
        [str(a.number), a.monitor, time_ago(a.began_at), time_ago(a.ended_at), a.acknowledged_by, a.message]
        for a in found
    ]
    return _told(options, found, table(rows, indent="") if found else "no alert yet")


def _acknowledge(options: argparse.Namespace, client: Client) -> int:
    if not options.number.isdecimal():
        raise UserError(
            f"{options.number!r} is not a number of an alert; `sardonyx monitor alerts` shows them"
        )
    alert = client.acknowledge_alert(int(options.number))
    return _told(options, alert, f"alert {alert.number} was seen by {alert.acknowledged_by}")


def _truth(options: argparse.Namespace, client: Client) -> int:
    import csv

    with Path(options.file).open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or "id" not in rows[0]:
        raise UserError(f"{options.file} needs a first line with a column `id` and a row for each request")
    names = [name for name in rows[0] if name not in ("id", "row")]
    values = {name: [_value(row[name]) for row in rows] for name in names}
    places = [int(row["row"]) for row in rows] if "row" in rows[0] else []
    counted = client.add_truth(options.model, [row["id"] for row in rows], values, places)
    return _told(options, counted, f"{count(counted.rows, 'row')} of truth for {options.model}")


def _value(text: str | None) -> Any:
    for read in (int, float):
        try:
            return read(text or "")
        except ValueError:
            continue
    return text or None


def _query(options: argparse.Namespace, client: Client) -> int:
    found = client.query_requests(options.model, options.sql)
    rows = [["" if value is None else str(value) for value in row] for row in found.rows]
    return _told(options, found, table([found.names, *rows], indent=""))


def _dashboard(options: argparse.Namespace) -> int:
    from sardonyx.monitor.dashboard import dashboard

    print_json(dashboard())
    return 0


def _told(options: argparse.Namespace, record: Any, text: str) -> int:
    if options.json:
        print_json(plain(record))
    else:
        print(text)
    return 0

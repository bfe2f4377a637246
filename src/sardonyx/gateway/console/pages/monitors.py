"""The pages of monitors and alerts: definitions, what runs found, plots of drift.

Decides what a form becomes and which numbers are drawn. Must not know how a signal is computed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.client.outbound import shown
from sardonyx.gateway.console.desk import Desk, segment
from sardonyx.gateway.console.fields import number, text
from sardonyx.gateway.console.plots import pair, trend
from sardonyx.gateway.watched import add_monitor
from sardonyx.monitor.distance import BY_NAME
from sardonyx.monitor.signals import SCORES, known_metrics
from sardonyx.monitor.watch import Watch
from sardonyx.protocol.errors import not_found
from sardonyx.protocol.monitors import Baseline, Monitor, NewMonitor, Notice, Run

KINDS = {
    "data_drift": "Data drift: inputs unlike those of the baseline",
    "prediction_drift": "Prediction drift: outputs unlike those of the baseline",
    "data_quality": "Data quality: nulls, wrong types, values never seen",
    "performance": "Performance: predictions beside what proved true",
    "service": "Service: failures and latency",
}
TONES = {"ok": "good", "alert": "bad", "failed": "bad", "too_few": "warn", "new": ""}
STATES = {"ok": "Well", "alert": "Alert", "failed": "Failed", "too_few": "Too few rows", "new": "Not run yet"}
_RUNS, _PLOTS = 60, 24


class MonitorPages:
    """Handlers of these pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def _watch(self) -> Watch:
        watch = self._desk.parts.monitoring.watch
        if watch is None:
            raise not_found("no monitor runs here: start the server with --log-payloads")
        return watch

    async def monitors(self, request: Request) -> Response:
        """All monitors."""
        who = self._desk.admit(request)
        watch = self._desk.parts.monitoring.watch
        found = []
        if watch is not None:
            monitors = await self._desk.ask(watch.book.monitors)
            seen = [m for m in monitors if who.principal.may_see(m.model)]
            found = [(m, await self._desk.ask(partial(watch.book.runs, m.name, 30))) for m in seen]
        return self._desk.page(
            request,
            "monitors.html",
            "monitors",
            who,
            monitors=[_line(monitor, runs) for monitor, runs in found],
            on=watch is not None,
            kinds=KINDS,
        )

    async def new(self, request: Request) -> Response:
        """The form for another monitor."""
        who = self._desk.admit(request, "repository")
        store = self._watch.store
        logged = await self._desk.ask(lambda: store.models("requests"))
        served = [row["name"] for row in self._desk.parts.core.index()]
        kind = request.query_params.get("kind", "data_drift")
        if kind not in KINDS:
            raise not_found(f"there is no kind of monitor {kind!r}")
        return self._desk.page(
            request,
            "monitor_new.html",
            "monitors",
            who,
            models=[n for n in dict.fromkeys([*logged, *served]) if who.principal.may_see(n)],
            kinds=KINDS,
            kind=kind,
            metrics=_choices(kind),
            chosen=request.query_params.get("model", ""),
        )

    async def create(self, request: Request) -> Response:
        """Another monitor."""
        who = self._desk.admit(request, "repository")
        form = await self._desk.form(request)
        self._desk.must_see(who, text(form, "model"))
        wanted = await self._wanted(form)
        watch = self._watch
        add = partial(add_monitor, self._desk.parts.administration, watch, wanted, who.principal.name)
        await self._desk.ask(add)
        await self._desk.ask(lambda: watch.run(wanted.name))
        return self._desk.go(request, f"/monitors/{segment(wanted.name)}", f"{wanted.name} is there")

    async def monitor(self, request: Request) -> Response:
        """One monitor with what it found."""
        name = request.path_params["monitor"]
        watch = self._watch
        monitor = await self._desk.ask(lambda: watch.book.get(name))
        who = self._desk.admit(request, "metadata", monitor.model)
        runs = await self._desk.ask(lambda: watch.book.runs(name, _RUNS))
        newest = await self._desk.ask(lambda: watch.book.runs(name, 1, plots=True))
        last = newest[0] if newest else None
        alerts = await self._desk.ask(lambda: watch.book.alerts(monitor=name, limit=10))
        return self._desk.page(
            request,
            "monitor.html",
            "monitors",
            who,
            monitor=monitor,
            told=[shown(one.webhook, path=False) if one.webhook else one.email for one in monitor.notify],
            path=f"/monitors/{segment(name)}",
            last=last,
            runs=runs[:20],
            trends=_trends(runs),
            plots=_plots(last) if last is not None else [],
            alerts=alerts,
            kinds=KINDS,
            tones=TONES,
            states=STATES,
            lower=LOWER_IS_WORSE,
        )

    async def act(self, request: Request) -> Response:
        """Run, pause, resume or remove a monitor."""
        name, verb = request.path_params["monitor"], request.path_params["act"]
        watch = self._watch
        monitor = await self._desk.ask(lambda: watch.book.get(name))
        self._desk.admit(request, "repository", monitor.model)
        await self._desk.form(request)
        path = f"/monitors/{segment(name)}"
        if verb == "run":
            run = await run_in_threadpool(watch.run, name)
            said = f"Run {run.number}: {STATES[run.state].lower()}"
        elif verb in ("pause", "resume"):
            await self._desk.ask(lambda: watch.book.enable(name, verb == "resume"))
            said = f"{name} {'runs by its schedule' if verb == 'resume' else 'is paused'}"
        elif verb == "remove":
            await self._desk.ask(lambda: watch.book.remove(name))
            path, said = "/monitors", f"{name} is removed"
        else:
            raise not_found(f"{verb!r} is not an action of a monitor")
        return self._desk.go(request, path, said)

    async def alerts(self, request: Request) -> Response:
        """All alerts, those that go on first."""
        who = self._desk.admit(request)
        found = await self._desk.ask(self._watch.book.alerts)
        seen = [alert for alert in found if who.principal.may_see(alert.model)]
        return self._desk.page(
            request, "alerts.html", "alerts", who, alerts=sorted(seen, key=lambda a: a.ended_at is not None)
        )

    async def acknowledge(self, request: Request) -> Response:
        """Somebody has seen an alert."""
        who = self._desk.admit(request, "repository")
        await self._desk.form(request)
        alert, watch = int(request.path_params["number"]), self._watch
        await self._desk.ask(lambda: watch.book.acknowledge(alert, who.principal.name))
        return self._desk.go(request, "/alerts", "Noted that you have seen it")

    async def _wanted(self, form: FormData) -> NewMonitor:
        uploaded = form.get("baseline_file")
        file = ""
        if isinstance(uploaded, UploadFile) and uploaded.filename:
            content = await uploaded.read()
            suffix, baselines = Path(uploaded.filename).suffix, self._watch.baselines
            file = await self._desk.ask(lambda: baselines.add(content, suffix))
        metrics = [str(value) for value in form.getlist("metric")]
        thresholds = {
            name: number(given, f"the threshold of {name}")
            for name in metrics
            if (given := text(form, f"threshold.{name}"))
        }
        webhook, email = text(form, "webhook"), text(form, "email")
        notices = [Notice(webhook=webhook)] * bool(webhook) + [Notice(email=email)] * bool(email)
        return NewMonitor(
            name=text(form, "name"),
            model=text(form, "model"),
            kind=text(form, "kind"),  # type: ignore[arg-type]
            version=text(form, "version"),
            metrics=metrics,
            thresholds=thresholds,
            columns=text(form, "columns").replace(",", " ").split(),
            baseline=Baseline(
                file=file,
                window=text(form, "window") or "7d",
                offset=text(form, "offset") or "1d",
                target=text(form, "target"),
            ),
            prediction=text(form, "prediction"),
            truth=text(form, "truth") or "label",
            lookback=text(form, "lookback") or "1d",
            every=text(form, "every") or "1d",
            min_rows=int(number(text(form, "min_rows") or "50", "the rows")),
            notify=notices,
        )


LOWER_IS_WORSE = frozenset({*SCORES, *(m.name for m in BY_NAME.values() if m.p_value)})


def _line(monitor: Monitor, runs: list[Run]) -> dict[str, Any]:
    last = runs[0] if runs else None
    worst = _worst(last) if last is not None else None
    course = [
        value.value for run in reversed(runs) if (value := _same(run, worst)) and value.value is not None
    ]
    return {
        "monitor": monitor,
        "tone": TONES[monitor.state],
        "state": STATES[monitor.state],
        "worst": worst,
        "course": course,
        "path": f"/monitors/{segment(monitor.name)}",
    }


def _worst(run: Run) -> Any:
    """The value of a run that is farthest beyond or nearest to its threshold."""

    def closeness(value: Any) -> float:
        if value.value is None or not value.threshold:
            return -1.0
        share = float(value.value / value.threshold)
        return 1 / max(share, 1e-9) if value.metric in LOWER_IS_WORSE else share

    return max(run.values, key=lambda v: (v.breached, closeness(v)), default=None)


def _same(run: Run, wanted: Any) -> Any:
    if wanted is None:
        return None
    return next((v for v in run.values if (v.metric, v.column) == (wanted.metric, wanted.column)), None)


def _trends(runs: list[Run]) -> list[dict[str, Any]]:
    """The courses of up to six values that were worst in the last run that found any."""
    last = next((run for run in runs if run.values), None)
    if last is None:
        return []
    ranked = sorted(last.values, key=lambda v: (not v.breached, v.metric in LOWER_IS_WORSE, -(v.value or 0)))
    found = []
    for value in ranked[:6]:
        course = [same.value if (same := _same(run, value)) else None for run in reversed(runs)]
        title = f"{value.metric} {value.column}".strip()
        found.append(
            {"title": title, "value": value, "svg": trend(course, value.threshold, f"{title} over the runs")}
        )
    return found


def _plots(run: Run) -> list[dict[str, Any]]:
    """The histograms of a run, of columns beyond a threshold first."""
    beyond = {value.column for value in run.values if value.breached}
    names = sorted(run.plots, key=lambda name: name not in beyond)
    return [
        {
            "name": name,
            "beyond": name in beyond,
            "svg": pair(run.plots[name], f"Shares of {name}, baseline and now"),
        }
        for name in names[:_PLOTS]
    ]


def _choices(kind: str) -> list[dict[str, Any]]:
    from sardonyx.monitor.signals import CLASSIFICATION, DRIFT, QUALITY, SERVICE

    usual = {*DRIFT, *QUALITY, *SERVICE, *CLASSIFICATION}
    return [
        {
            "name": name,
            "threshold": None if threshold == float("inf") else threshold,
            "usual": name in usual,
            "lower": name in LOWER_IS_WORSE,
            "fits": ", ".join(BY_NAME[name].kinds) if name in BY_NAME else "",
        }
        for name, threshold in known_metrics(kind).items()
    ]

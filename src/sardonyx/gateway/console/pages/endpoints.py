"""The pages of endpoints: traffic with sliders, promoting and rolling back, canaries, shadows.

Decides what a form becomes. Must not know how traffic is kept or routed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.gateway.console.desk import Desk, segment
from sardonyx.gateway.console.fields import number, text
from sardonyx.gateway.console.live import RECENT_S
from sardonyx.gateway.console.view import duration_text, number_text, percent_text
from sardonyx.monitor.live import total
from sardonyx.protocol.errors import not_found
from sardonyx.protocol.records import CanaryPlan, Endpoint, NewDeployment, NewEndpoint, Promotion, Spread

_HISTORY, _DIFFERENCES = 12, 20


class EndpointPages:
    """Handlers of these pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def endpoints(self, request: Request) -> Response:
        """All endpoints, and a form for another."""
        who = self._desk.admit(request)
        a = self._desk.administration
        found = [e for e in await self._desk.ask(a.endpoints.endpoints) if who.principal.may_see(e.name)]
        models = [
            m for m in await self._desk.ask(a.catalog.models) if m.versions and who.principal.may_see(m.name)
        ]
        return self._desk.page(
            request,
            "endpoints.html",
            "endpoints",
            who,
            endpoints=[(e, _shares(e)) for e in found],
            models=models,
        )

    async def create(self, request: Request) -> Response:
        """Another endpoint, with its first deployment if a model is chosen."""
        who = self._desk.admit(request, "repository")
        form = await self._desk.form(request)
        a, actor = self._desk.administration, who.principal.name
        name, model = text(form, "name"), text(form, "model")
        self._desk.must_see(who, name, *([model] if model else []))
        new = NewEndpoint(
            name=name, description=text(form, "description"), sticky_header=text(form, "sticky")
        )
        await self._desk.act(lambda: a.endpoints.create(new, actor))
        if model:
            deployment = NewDeployment(model=model, version=text(form, "version"))
            await self._desk.act(lambda: a.endpoints.deploy(name, deployment, actor))
        return self._desk.go(request, f"/endpoints/{segment(name)}", f"{name} is there")

    async def endpoint(self, request: Request) -> Response:
        """One endpoint."""
        name = request.path_params["endpoint"]
        who = self._desk.admit(request, "metadata", name)
        a = self._desk.administration
        endpoint = await self._desk.ask(lambda: a.endpoints.endpoint(name))
        history = await self._desk.ask(lambda: a.endpoints.history(name))
        differences = await self._desk.ask(lambda: a.differences.entries(name, _DIFFERENCES))
        models = [
            m for m in await self._desk.ask(a.catalog.models) if m.versions and who.principal.may_see(m.name)
        ]
        return self._desk.page(
            request,
            "endpoint.html",
            "endpoints",
            who,
            endpoint=endpoint,
            path=f"/endpoints/{segment(name)}",
            lanes=[(d, self._recent(d)) for d in endpoint.deployments],
            shares=_shares(endpoint),
            history=history[:_HISTORY],
            differences=[(one, difference_texts(one.detail)) for one in differences],
            models=models,
            url=self._desk.url(request),
        )

    async def act(self, request: Request) -> Response:
        """What a form of that page asks for."""
        name, verb = request.path_params["endpoint"], request.path_params["act"]
        who = self._desk.admit(request, "repository", name)
        form = await self._desk.form(request)
        acts = {
            "traffic": self._spread,
            "promote": self._promote,
            "rollback": self._roll_back,
            "canary": self._start_canary,
            "cancel": self._cancel_canary,
            "deploy": self._deploy,
            "undeploy": self._undeploy,
            "delete": self._delete,
        }
        if verb not in acts:
            raise not_found(f"{verb!r} is not an action of an endpoint")
        self._desk.must_see(who, name, *([text(form, "model")] if verb == "deploy" else []))
        said = await acts[verb](name, form, who.principal.name)
        path = "/endpoints" if verb == "delete" else f"/endpoints/{segment(name)}"
        return self._desk.go(request, path, said)

    def _recent(self, deployment: Any) -> dict[str, str]:
        seconds = self._desk.parts.monitoring.live.seconds(
            RECENT_S, deployment.model, deployment.version, deployment.name
        )
        minute = total(seconds)
        asked = minute.requests + minute.failures
        return {
            "rate": number_text(asked / RECENT_S),
            "p95": duration_text(minute.quantile_s(0.95)),
            "failed": percent_text(minute.failures / asked if asked else float("nan")),
        }

    async def _spread(self, name: str, form: FormData, actor: str) -> str:
        weights = _percentages(form, "weight.")
        shadows = {key: share for key, share in _percentages(form, "shadow.").items() if share}
        wanted = Spread(weights=weights, shadows=shadows, reason=text(form, "reason"))
        await self._desk.act(lambda: self._desk.administration.endpoints.spread(name, wanted, actor))
        shown = ", ".join(f"{share:g} % to {key}" for key, share in weights.items() if share)
        return f"Traffic of {name}: {shown}"

    async def _promote(self, name: str, form: FormData, actor: str) -> str:
        promotion = Promotion(deployment=text(form, "deployment"), reason=text(form, "reason"))
        await self._desk.act(lambda: self._desk.administration.endpoints.promote(name, promotion, actor))
        return f"{promotion.deployment} has all traffic of {name}"

    async def _roll_back(self, name: str, form: FormData, actor: str) -> str:
        reason = text(form, "reason")
        await self._desk.act(lambda: self._desk.administration.endpoints.roll_back(name, reason, actor))
        return f"Traffic of {name} is as before the last change"

    async def _start_canary(self, name: str, form: FormData, actor: str) -> str:
        plan = CanaryPlan(
            deployment=text(form, "deployment"),
            steps=tuple(number(step, "a step") for step in text(form, "steps").replace(",", " ").split()),
            interval_s=number(text(form, "minutes"), "the minutes") * 60,
            min_requests=int(number(text(form, "min_requests"), "the requests")),
            max_error_rate=number(text(form, "max_errors"), "the errors") / 100,
            max_latency_ratio=number(text(form, "max_ratio"), "the latency"),
        )
        await self._desk.act(lambda: self._desk.administration.endpoints.start_canary(name, plan, actor))
        return f"The canary {plan.deployment} has begun"

    async def _cancel_canary(self, name: str, form: FormData, actor: str) -> str:
        await self._desk.act(lambda: self._desk.administration.endpoints.cancel_canary(name, actor))
        return "The canary stays where it is"

    async def _deploy(self, name: str, form: FormData, actor: str) -> str:
        new = NewDeployment(
            model=text(form, "model"),
            version=text(form, "version"),
            name=text(form, "name"),
            weight=number(text(form, "weight") or "0", "the share"),
            shadow=number(text(form, "shadow") or "0", "the shadow"),
        )
        await self._desk.act(lambda: self._desk.administration.endpoints.deploy(name, new, actor))
        return f"{new.model} is deployed under {name}"

    async def _undeploy(self, name: str, form: FormData, actor: str) -> str:
        deployment = text(form, "deployment")
        await self._desk.act(lambda: self._desk.administration.endpoints.undeploy(name, deployment, actor))
        return f"{deployment} is removed from {name}"

    async def _delete(self, name: str, form: FormData, actor: str) -> str:
        await self._desk.act(lambda: self._desk.administration.endpoints.delete(name, actor))
        return f"{name} is removed; its models stay"


def difference_texts(detail: Mapping[str, Any]) -> list[str]:
    """What a shadow answered otherwise, a line for each output."""
    return [_difference_text(name, one) for name, one in detail.items()]


def _difference_text(name: str, one: Mapping[str, Any]) -> str:
    if "error" in one:
        return f"{name} failed: {one['error']}"
    if "missing_in" in one:
        return f"{name} is missing in {one['missing_in']}"
    sides = f"served {_value_text(one['served'])}, shadow {_value_text(one['shadow'])}"
    if "at" not in one:
        return f"{name}: {sides}"
    far = f", by {number_text(one['largest'])} at most" if "largest" in one else ""
    many = f" ({one['elements']:,} of {one['of']:,} differ{far})" if one["of"] > 1 else ""
    return f"{name}[{', '.join(map(str, one['at']))}]: {sides}{many}"


def _value_text(value: Any) -> str:
    return number_text(value, 6) if isinstance(value, int | float) else str(value)


def _shares(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The parts of a bar of traffic: name, share and where it begins, in percent."""
    begins, parts = 0.0, []
    for order, deployment in enumerate(endpoint.deployments):
        if deployment.weight:
            parts.append(
                {"name": deployment.name, "share": deployment.weight, "x": begins, "key": order % 6 + 1}
            )
            begins += deployment.weight
    return parts


def _percentages(form: FormData, prefix: str) -> dict[str, float]:
    return {
        key.removeprefix(prefix): number(str(value) or "0", key.removeprefix(prefix))
        for key, value in form.items()
        if key.startswith(prefix)
    }

"""Which version of which model answers a request: endpoints, weights, sticky clients, shadows, aliases.

Asked on the event loop, so it looks at memory alone. Must not know where the state comes from.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Collection, Mapping

from sardonyx.protocol.errors import Code, ServeError, not_found
from sardonyx.protocol.messages import InferRequest
from sardonyx.registry.state import EndpointState, State
from sardonyx.serve.seams import Route, Target

DEPLOYMENT_HEADERS = ("sardonyx-deployment", "azureml-model-deployment")
"""A request that carries one of these names its deployment itself."""
_ROUTES_KEPT = 4096


class RegistryRouter:
    """Routes by the state at the moment of each request.

    `digits` is the endpoint of that name, else the model's default version; `digits@champion` and a version
    in the path name a version of the model. Names that the registry does not know are left as they are.
    """

    def __init__(self, state: Callable[[], State], seed: int | None = None) -> None:
        self._state = state
        self._random = random.Random(seed)
        self._seen: State | None = None
        self._routes: dict[tuple[str, ...], Route] = {}

    def route(self, request: InferRequest) -> Route:
        """The route of a request. Raises ServeError NOT_FOUND for unknown aliases and deployments."""
        state = self._state()
        if state is not self._seen or len(self._routes) > _ROUTES_KEPT:
            self._seen, self._routes = state, {}
        named = (request.model, request.version, "")
        known = self._routes.get(named)
        if known is not None:
            return known
        name, _, alias = request.model.partition("@")
        endpoint = None if alias else state.endpoints.get(name)
        if endpoint is None or request.version in state.models.get(name, ()):
            version = _aliased(state, name, alias) if alias else _version(state, name, request.version)
            return self._kept(named, Target(name, version))
        wanted = request.version or _named(request.context.headers)
        target = _deployment(endpoint, wanted) if wanted else self._chosen(endpoint, request)
        shadows = tuple(
            endpoint.targets[other]
            for other, share in endpoint.shadows.items()
            if other != target.deployment and self._random.random() * 100 < share
        )
        key = (name, "", target.deployment, *(shadow.deployment for shadow in shadows))
        certain = not endpoint.shadows and (wanted or len(endpoint.weights) == 1)
        return self._kept(key, target, shadows, drawn=not certain)

    def endpoints(self) -> Collection[str]:
        """The endpoints at this moment."""
        return self._state().endpoints.keys()

    def _kept(
        self, key: tuple[str, ...], target: Target, shadows: tuple[Target, ...] = (), *, drawn: bool = False
    ) -> Route:
        """The one route to a target with these shadows, as long as the state is the same."""
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = Route(target, shadows, drawn)
        return route

    def _chosen(self, endpoint: EndpointState, request: InferRequest) -> Target:
        weights = endpoint.weights
        if not weights:
            raise ServeError(
                Code.UNAVAILABLE, f"the endpoint {endpoint.name!r} has no deployment with traffic"
            )
        if len(weights) == 1:
            return endpoint.targets[next(iter(weights))]
        client = request.context.headers.get(endpoint.sticky_header) if endpoint.sticky_header else None
        if client is None:
            (name,) = self._random.choices(tuple(weights), tuple(weights.values()))
        else:
            name = preferred(client, endpoint.name, weights)
        return endpoint.targets[name]


def preferred(client: str, endpoint: str, weights: Mapping[str, float]) -> str:
    """The deployment that a client sticks to (weighted rendezvous hashing).

    Over many clients each deployment gets its share, and when weights change only those clients move whose
    move the change needs.
    """

    def score(name: str) -> float:
        digest = hashlib.blake2b(f"{endpoint}\0{name}\0{client}".encode(), digest_size=8).digest()
        return -math.log((int.from_bytes(digest) + 0.5) / 2.0**64) / weights[name]

    return min((name for name in weights if weights[name] > 0), key=score)


def _version(state: State, model: str, version: str) -> str:
    if version.startswith("@"):
        return _aliased(state, model, version[1:])
    if not version:
        return state.defaults.get(model, "")
    if version in state.models.get(model, ()) and (model, version) not in state.served:
        raise not_found(
            f"Request for unknown model: '{model}' version {version} is registered and not served; "
            "give it an alias or deploy it"
        )
    return version


def _aliased(state: State, model: str, alias: str) -> str:
    version = state.aliases.get((model, alias))
    if version is None:
        raise not_found(f"Request for unknown model: '{model}' has no alias '@{alias}'")
    return version


def _named(headers: Mapping[str, str]) -> str:
    return headers.get(DEPLOYMENT_HEADERS[0]) or headers.get(DEPLOYMENT_HEADERS[1]) or ""


def _deployment(endpoint: EndpointState, name: str) -> Target:
    target = endpoint.targets.get(name)
    if target is None:
        known = ", ".join(endpoint.targets) or "none"
        raise not_found(f"the endpoint '{endpoint.name}' has no deployment '{name}'; it has {known}")
    return target

"""The data plane alone: everybody may, and a name is the name of a model."""

from __future__ import annotations

from sardonyx.protocol.messages import InferRequest
from sardonyx.serve import seams
from sardonyx.serve.seams import DirectRouter, OpenGuard, Target


def test_everybody_may() -> None:
    assert OpenGuard().admit({}, "admin", "m").name == "anonymous"


def test_routes_are_the_names_and_are_kept_within_a_bound() -> None:
    router = DirectRouter()
    first = router.route(InferRequest("m", [], "2"))
    assert first.target == Target("m", "2")
    assert first.shadows == ()
    assert router.route(InferRequest("m", [], "2")) is first
    for number in range(seams._ROUTES_KEPT + 5):
        assert router.route(InferRequest(f"m{number}", [])).target == Target(f"m{number}", "")
    assert len(router._routes) <= seams._ROUTES_KEPT
    assert list(router.endpoints()) == []

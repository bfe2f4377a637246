"""The shop of the tests: what its deployments take, and who has its traffic."""

from __future__ import annotations

from sardonyx.protocol.records import Signature, TensorSpec
from sardonyx.registry.endpoints import Endpoints


def rows_of(count: int) -> Signature:
    return Signature(inputs=[TensorSpec(name="x", type="tensor(float)", shape=["batch", count])])


def held(endpoints: Endpoints) -> tuple[dict[str, float], dict[str, float]]:
    traffic = endpoints.endpoint("shop").traffic
    assert traffic is not None
    return dict(traffic.weights), dict(traffic.shadows)

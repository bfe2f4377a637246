"""A gateway with small models, kept requests and a console, for tests that do not stop it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import onnx
import pytest

from sardonyx.gateway.gateway import Gateway
from sardonyx.monitor.capture import Collection
from sardonyx.monitor.monitoring import MonitorOptions
from tests.gateway.running import running
from tests.serve.models import save

FLOWERS = """
<ir_version: 10, opset_import: ["" : 21]>
flowers (float[N, 4] x) => (int64[N] label, float[N, 3] chances)
<float[4, 3] w = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}> {
    scores = MatMul (x, w)
    chances = Softmax <axis = 1> (scores)
    label = ArgMax <axis = 1, keepdims = 0> (scores)
}
"""
ECHO = """
<ir_version: 10, opset_import: ["" : 21]>
echo (string[N] t) => (string[N] said) { said = Identity (t) }
"""
DETECTOR = """
<ir_version: 10, opset_import: ["" : 21]>
detector (float[1, 3, H, W] images) => (float[K, 4] boxes, float[K] scores, int64[K] classes)
<float[2, 4] b = {0.1, 0.2, 0.55, 0.8, 0.5, 0.1, 0.9, 0.6}, float[2] s = {0.94, 0.4}, int64[2] c = {1, 0}> {
    mean = ReduceMean <keepdims = 0> (images)
    zero = Sub (mean, mean)
    boxes = Add (b, zero)
    scores = Add (s, zero)
    classes = Identity (c)
}
"""


def labelled(text: str, labels: str, path: Path) -> Path:
    """Save a model with class names in its metadata."""
    model = onnx.parser.parse_model(text)
    entry = model.metadata_props.add()
    entry.key, entry.value = "labels", labels
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    labelled(FLOWERS, '["setosa", "versicolor", "<b>virginica</b>"]', folder / "flowers.onnx")
    labelled(DETECTOR, '["cat", "dog"]', folder / "detector.onnx")
    save(ECHO, folder / "echo.onnx")
    return folder


@pytest.fixture(scope="module")
def gateway(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    monitoring = MonitorOptions(home, {"*": Collection()})
    with running(home, [models], monitoring=monitoring) as gateway:
        yield gateway


class Browser(httpx.Client):
    """A client that keeps cookies and knows the token of the forms."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=f"{url}/console", trust_env=False, verify=False, timeout=30)
        self._tokens: dict[str, str] = {}

    @property
    def token(self) -> str:
        name = self.cookies.get("sardonyx_session", "")
        if name not in self._tokens:
            found = re.search(r'name="forgery_token" value="(\w+)"', self.get("/login").text)
            assert found is not None
            self._tokens[self.cookies["sardonyx_session"]] = found[1]
        return self._tokens[self.cookies["sardonyx_session"]]

    def submit(self, path: str, follow: bool = True, **fields: str) -> httpx.Response:
        """Send a form as a page would."""
        data = {"forgery_token": self.token, **fields}
        return self.post(path, data=data, follow_redirects=follow)


@pytest.fixture
def browser(gateway: Gateway) -> Iterator[Browser]:
    with Browser(gateway.server.http_url) as client:
        yield client

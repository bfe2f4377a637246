"""`sardonyx view` serves the page to this machine alone."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx.parser
import pytest

from sardonyx.tools.cli import main
from sardonyx.tools.commands import view

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 64] x) => (float[N, 64] y) { [end] y = Relu(x) }"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    onnx.save(onnx.parser.parse_model(TEXT), tmp_path / "net.onnx")
    words = [sys.executable, "-m", "sardonyx", "view", str(tmp_path / "net.onnx"), "--no-browser"]
    process = subprocess.Popen([*words, "--dim", "N=8"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(rf"http://{re.escape(view.HOST)}:\d+/", process.stdout.readline())
    assert found is not None
    yield found[0]
    process.terminate()
    process.wait(20)
    process.stdout.close()


def read(address: str, host: str = "") -> tuple[str, str]:
    request = urllib.request.Request(address, headers={"host": host} if host else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode(errors="replace"), answer.headers["content-security-policy"]


def test_the_page_and_what_it_may_load(address: str) -> None:
    page, policy = read(address)
    assert "Relu" in page and "1 kernel, 0 operators without native code" in page
    assert "default-src 'none'" in policy and "http:" not in policy
    frame = re.search(r'iframe src="([^"]+)"', page)
    assert frame is not None
    netron, policy = read(address.rstrip("/") + frame[1].replace("&amp;", "&"))
    assert 'name="version" content="0.0.0"' in netron and "connect-src 'self'" in policy
    assert "Relu" in read(f"{address}model.onnx")[0]
    assert '"busy_s"' in read(f"{address}kernels.json")[0]
    with pytest.raises(urllib.error.HTTPError) as refused:
        read(address, "evil.example")
    assert refused.value.code == 400
    refused.value.close()


def test_what_cannot_be_shown_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(onnx.parser.parse_model(TEXT), tmp_path / "net.onnx")
    with pytest.raises(SystemExit):
        main(["view", str(tmp_path / "net.onnx"), "--port", "99999"])
    assert "--port: 99999 is not a port number" in capsys.readouterr().err

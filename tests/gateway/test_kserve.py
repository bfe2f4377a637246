"""What deploy/ says to a cluster, run here: its KServe runtime, with nothing writable but one folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.client import Client
from tests.gateway.test_pages import free_ports
from tests.serve.clients import PYTHON, REASON
from tests.serve.models import SUM_AND_DIFFERENCE, save

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kserve").glob("*.yaml"))
CLOSED = """mount --bind / / && mount -o remount,ro,bind / && mount -t tmpfs tmpfs /mnt && mkdir /mnt/scratch
! touch /sardonyx-was-here 2> /dev/null && exec "$@"
"""
FAULTS = [
    ("priority: 3", 'priority: "3"', "'3' is no int"),
    ("readOnlyRootFilesystem", "readOnlyRootFileSystem", "has no such field"),
    ("containers:", "container:", "must not be `None`"),
    ("mountPath: /tmp", "subPath: x", "mountPath is missing"),
    ("- v2", "- 2", "2 is no str"),
]


def runtime() -> Any:
    yaml = pytest.importorskip("yaml", reason="pyyaml is not installed")
    return yaml.safe_load((DEPLOY / "kserve/serving-runtime.yaml").read_text(encoding="utf-8"))


def test_the_image_runs_as_nobody_and_starts_the_server() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert 'ENTRYPOINT ["sardonyx", "serve"]' in text
    (container,) = runtime()["spec"]["containers"]
    security = container["securityContext"]
    assert security["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert container["name"] == "kserve-container"


def held_against_the_schema(*manifests: Path) -> str:
    """What the types of KServe's own client say against the manifests."""
    command = [str(PYTHON), str(ROOT / "tests/gateway/kserve_schema.py"), *map(str, manifests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(PYTHON is None, reason=REASON)
def test_the_manifests_keep_the_schema_of_kserve(tmp_path: Path) -> None:
    page = (ROOT / "docs/kserve.md").read_text(encoding="utf-8")
    shown = tmp_path / "page.yaml"
    shown.write_text("---\n".join(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)), encoding="utf-8")
    assert len(MANIFESTS) == 2
    assert held_against_the_schema(*MANIFESTS, shown) == ""


@pytest.mark.skipif(PYTHON is None, reason=REASON)
def test_a_manifest_that_breaks_the_schema_is_found(tmp_path: Path) -> None:
    text = (DEPLOY / "kserve/serving-runtime.yaml").read_text(encoding="utf-8")
    for right, wrong, _ in FAULTS:
        assert text.count(right) >= 1, right
        (tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml").write_text(text.replace(right, wrong, 1))
    said = held_against_the_schema(*sorted(tmp_path.iterdir()))
    for number, (*_, fault) in enumerate(FAULTS):
        assert re.search(rf"^{number}\.yaml: .*{re.escape(fault)}", said, re.MULTILINE), said


@pytest.mark.slow
def test_its_arguments_serve_the_clients_of_kserve_with_a_root_that_is_read_only(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a read-only root needs root's rights here")
    models, ports = tmp_path / "models", free_ports()
    save(SUM_AND_DIFFERENCE, models / "1/model.onnx")
    words = {
        "/mnt/models": str(models),
        "{{.Name}}": "simple",
        "=8080": f"={ports[0]}",
        "=9000": f"={ports[1]}",
        "0.0.0.0": "127.0.0.1",
        "/tmp/sardonyx": "/mnt/scratch/sardonyx",
    }
    (container,) = runtime()["spec"]["containers"]
    arguments = [_replaced(argument, words) for argument in container["args"]]
    environment = {row["name"]: _replaced(row["value"], words) for row in container["env"]}
    environment |= {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PATH": os.environ["PATH"],
        "TMPDIR": "/mnt/scratch",
    }
    server = [sys.executable, "-m", "sardonyx", "serve", *arguments]
    command = ["unshare", "-m", "sh", "-c", CLOSED, "sh", *server]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
    )
    try:
        with Client(f"http://127.0.0.1:{ports[0]}") as client:
            for _ in range(600):
                if process.poll() is not None or client.ready():
                    break
                time.sleep(0.1)
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            x = np.arange(16, dtype=np.int32)[None]
            answer = client.infer("simple", {"INPUT0": x, "INPUT1": x})
            np.testing.assert_array_equal(answer["OUTPUT0"], x * 2)
            assert client.metadata("simple")["versions"] == ["1"]
        if PYTHON is not None:
            calls = [PYTHON, ROOT / "tests/serve/kserve_calls.py", *(f"127.0.0.1:{port}" for port in ports)]
            subprocess.run(calls, check=True, timeout=120)
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said


def _replaced(text: str, words: dict[str, str]) -> str:
    for word, other in words.items():
        text = text.replace(word, other)
    return text

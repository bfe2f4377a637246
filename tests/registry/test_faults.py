"""Registration cut off by a kill or a full disk: what was acknowledged is whole, the rest is not there."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from sardonyx.database import Database
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.audit import Audit
from sardonyx.registry.catalog import Catalog
from tests.homes import prepared

_REGISTERS = """
import os, sys
from pathlib import Path
from sardonyx.database import Database
from sardonyx.protocol.records import Registration, Signature
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.checks import Examination
home, size = Path(sys.argv[1]), int(sys.argv[2])
store = ArtefactStore(home / "artefacts", home / "work")
catalog = Catalog(Database.at_home(home), store)
content = {"model.onnx": home / f"model-{os.getpid()}", "weights.bin": home / f"weights-{os.getpid()}"}
print("ready", flush=True)
while True:
    for path in content.values():
        path.write_bytes(os.urandom(size))
    version = catalog.add_version(
        "m", Registration(source="test"), Examination(Signature(), ()), lambda: store.put(content), "test"
    )
    print(version.version, flush=True)
"""


def registering(home: Path, size: int, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _REGISTERS, str(home), str(size)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def check_whole(home: Path) -> list[str]:
    """Every version that can be seen is whole, nothing lies about, the log holds; their numbers."""
    database = Database.at_home(home)
    store = ArtefactStore(home / "artefacts", home / "work")
    versions = Catalog(database, store).versions("m")
    assert all(store.verify(version.files) == [] for version in versions)
    assert Audit(database).check().broken is None
    database.close()
    return [version.version for version in versions]


def test_a_kill_at_any_moment_leaves_whole_versions(tmp_path: Path) -> None:
    chance, home = random.Random(0), prepared(tmp_path)
    acknowledged: list[str] = []
    for at in range(4):
        process = registering(home, 300_000)
        if at == 0:
            acknowledged.append(process.stdout.readline().strip())  # type: ignore[union-attr]
        time.sleep(chance.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
        acknowledged += out.split()
    assert set(acknowledged) <= set(check_whole(home))


def test_a_full_disk_is_told_and_nothing_half_remains(tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    process = registering(prepared(tmp_path), 100_000, preexec_fn=limited)
    process.stdout.readline()  # type: ignore[union-attr]
    process.kill()
    process.communicate()
    left = set((tmp_path / "artefacts/sha256/incoming").iterdir())
    process = registering(tmp_path, 399_000, preexec_fn=limited)
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "cannot be written" in err or "cannot be used" in err, err
    assert set(out.split()) <= set(check_whole(tmp_path))
    assert set((tmp_path / "artefacts/sha256/incoming").iterdir()) == left

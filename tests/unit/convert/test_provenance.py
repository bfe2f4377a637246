"""A digest names the content of a file or folder, wherever it lies."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sardonyx.convert.provenance import digest


def test_digests(tmp_path: Path) -> None:
    file = tmp_path / "m"
    file.write_bytes(b"content")
    assert digest(str(file)) == hashlib.sha256(b"content").hexdigest()
    assert digest(str(tmp_path / "absent")) == ""
    for name in ("one", "two"):
        folder = tmp_path / name / "sub"
        folder.mkdir(parents=True)
        (folder / "a").write_bytes(b"x")
        (folder.parent / "b").write_bytes(b"y")
    one, two = (digest(str(tmp_path / name)) for name in ("one", "two"))
    assert one == two
    (tmp_path / "two" / "b").rename(tmp_path / "two" / "c")
    assert digest(str(tmp_path / "two")) != one, "names belong to it"

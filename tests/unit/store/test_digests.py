"""A content has one digest, wherever it lies; each of its bytes, and their order, decide it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx.base.digest import begun
from sardonyx.runtime import cores
from sardonyx.store import digests


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_PART_BYTES", 64)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size", [0, 1, 64, 65, 1000])
def test_places_and_threads_make_no_difference(
    size: int, threads: int, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = rng.integers(0, 256, size, np.uint8)
    (tmp_path / "x").write_bytes(content.tobytes())
    one = digests.digest_of(content)
    monkeypatch.setattr(cores, "team_size", lambda: threads)
    read, digest = digests.read(tmp_path / "x")
    assert np.array_equal(read, content)
    assert not read.flags.writeable
    assert digest == digests.file_digest(tmp_path / "x") == digests.digest_of(content) == one
    assert (one == begun(content.data).hexdigest()) == (size <= 64)


def test_every_byte_and_the_order_of_parts_count(rng: np.random.Generator) -> None:
    content = rng.integers(0, 256, 200, np.uint8)
    found = {digests.digest_of(content), digests.digest_of(content[:-1])}
    for at in range(200):
        changed = content.copy()
        changed[at] ^= 1
        found.add(digests.digest_of(changed))
    found.add(digests.digest_of(np.concatenate([content[64:128], content[:64], content[128:]])))
    assert len(found) == 203


def test_a_file_that_becomes_shorter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(100))
    with pytest.raises(OSError, match="shorter"):
        digests._fill(np.empty(120, np.uint8), path, 0)

"""Entries on disk, seen by several processes."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from sardonyx.runtime import cache as module
from sardonyx.runtime.cache import Cache, key

OPEN_FILES = Path("/proc/self/fd")
K1, K2, K3 = (key(text) for text in ("one", "two", "three"))


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "folder")
    assert cache.get("object", K1) is None
    assert cache.put("object", K1, b"some code")
    assert cache.get("object", K1) == b"some code"
    assert cache.get("plan", K1) is None
    assert cache.put("object", K1, b"")
    assert Cache(cache.root).get("object", K1) == b""


def test_arrays_are_mapped_where_vectors_can_load_them(tmp_path: Path, rng: np.random.Generator) -> None:
    weights = rng.standard_normal((100, 33)).astype(np.float32)
    cache = Cache(tmp_path)
    assert cache.put("weights", K1, (row.data for row in weights))
    for check in (False, True):
        entry = cache.map("weights", K1, check=check)
        assert entry is not None
        assert entry.payload.ctypes.data % 64 == 0
        assert not entry.payload.flags.writeable
        np.testing.assert_array_equal(entry.payload.view(np.float32).reshape(weights.shape), weights)
    assert cache.map("weights", K2) is None


def test_pieces_of_any_size_lie_one_behind_the_other(tmp_path: Path, rng: np.random.Generator) -> None:
    block = module._BLOCK_BYTES
    sizes = 0, 5, block - 69, 1, block, 3 * block + 7, 0, block - 6, block - 2, 3, 2 * block
    pieces = [rng.integers(0, 256, size, np.uint8) for size in sizes]
    cache = Cache(tmp_path)
    assert cache.put("weights", K1, (piece.data for piece in pieces))
    entry = cache.map("weights", K1, check=True)
    assert entry is not None
    np.testing.assert_array_equal(entry.payload, np.concatenate(pieces))


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "header", "empty"])
def test_damaged_entries_count_as_missing(tmp_path: Path, damage: str) -> None:
    cache = Cache(tmp_path)
    cache.put("object", K1, b"0123456789" * 10)
    path = cache.path("object", K1)
    data = path.read_bytes()
    flipped = data[:80] + bytes([data[80] ^ 1]) + data[81:]
    path.write_bytes(
        {"flip": flipped, "cut": data[:-1], "grow": data + b"!", "header": data[:40], "empty": b""}[damage]
    )
    assert cache.get("object", K1) is None
    assert cache.map("object", K1, check=True) is None
    assert (cache.map("object", K1) is None) == (damage != "flip")
    assert cache.put("object", K1, b"fresh")
    assert cache.get("object", K1) == b"fresh"


def test_names_of_files_that_are_no_text_have_keys() -> None:
    assert key("file", os.fsdecode(b"\xff.onnx")) != key("file", os.fsdecode(b"\xfe.onnx"))


def test_it_is_known_before_whether_anything_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert Cache(tmp_path).can_keep() and Cache(tmp_path / "new" / "folder").can_keep()
    assert not Cache(tmp_path / "file" / "folder").can_keep()
    assert not Cache(None).can_keep()
    assert not Cache(tmp_path / "open").can_keep() or os.name == "nt"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write")
def test_a_folder_that_is_only_read_keeps_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert not Cache(tmp_path / "new").can_keep()
    tmp_path.chmod(0o700)


def test_keys_tell_the_borders_of_their_parts() -> None:
    assert key("ab", "c") != key("a", "bc") != key("abc")
    assert key("ab", b"c") == key(b"ab", "c")
    assert len(key()) == 64


def test_the_oldest_entries_make_room(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit_bytes=3400)
    for age, name in enumerate((K1, K2, K3)):
        cache.put("object", name, bytes(900))
        os.utime(cache.path("object", name), (1e9 + age, 1e9 + age))
    assert cache.get("object", K1) is not None
    cache.put("plan", K1, bytes(900))
    assert cache.get("object", K2) is None
    assert all(cache.get(*at) for at in (("object", K1), ("object", K3), ("plan", K1)))


def test_a_plan_goes_before_what_it_needs(tmp_path: Path) -> None:
    """What is used is marked once an hour, so it may seem older than a plan that needs it."""
    cache = Cache(tmp_path, limit_bytes=3900)
    for kind, age in (("image", 0), ("weights", 100), ("plan", 3500), ("object", 3000)):
        cache.put(kind, K1, bytes(900))
        os.utime(cache.path(kind, K1), (1e9 + age, 1e9 + age))
    cache.put("image", K2, bytes(200))
    kept = [entry.kind for kind in module.KINDS for entry in cache.entries(kind) if entry.key == K1]
    assert kept == ["object", "image", "weights"]


def test_all_entries_are_looked_at_when_processes_have_written_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(Cache, "evict", lambda cache: looks.append(1))
    for number in range(40):
        cache = Cache(tmp_path, limit_bytes=1 << 20)
        for entry in range(2):
            cache.put("object", f"{number:02}{entry}", bytes(900))
    assert len(looks) in (2, 3), "the first time, and each 64 KB"
    looks.clear()
    Cache(tmp_path, limit_bytes=1 << 20).put("object", "large", bytes(70_000))
    assert looks


def test_partial_files_of_dead_writers_are_swept(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("object", K1, b"x")
    old, young = (cache.path("object", K1).with_name(name) for name in (".old", ".young"))
    old.touch()
    young.touch()
    os.utime(old, (1e9, 1e9))
    cache.evict()
    assert not old.exists()
    assert young.exists()
    assert cache.get("object", K1) == b"x"


def test_a_folder_that_cannot_be_written_warns_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file")
    assert Cache(tmp_path / "a" / "b").can_keep() and not Cache(None).can_keep() and not cache.can_keep()
    with pytest.warns(RuntimeWarning, match="nothing will be cached in .*set SARDONYX_CACHE"):
        assert not cache.put("object", K1, b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not cache.put("object", K1, b"x")
        assert cache.get("object", K1) is None
        cache.evict()


def test_the_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path))
    assert module.shared() is module.at(tmp_path)
    assert module.shared().root == tmp_path


def test_a_cache_that_is_off_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", "off")
    cache = module.shared()
    assert cache is module.at(None)
    assert not cache.put("object", K1, b"x")
    assert cache.get("object", K1) is None
    assert cache.map("object", K1) is None


WRITER = """
import sys
sys.path[:] = {path!r}
from sardonyx.runtime.cache import Cache, key
cache, text = Cache({root!r}), b"the same content " * 5000
for i in range(200):
    assert cache.put("object", key(str(i % 5)), text)
    assert cache.get("object", key(str((i + 1) % 5))) in (None, text)
"""


def test_two_processes_may_write_the_same_keys(tmp_path: Path) -> None:
    code = WRITER.format(path=sys.path, root=str(tmp_path))
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert sorted(p.name for p in tmp_path.glob("object/*/*")) == sorted(key(str(i)) for i in range(5))


def kept(root: Path) -> Cache:
    """A new object for a folder that has an entry."""
    Cache(root).put("object", K1, b"code")
    return Cache(root)


@pytest.mark.parametrize("umask", [0o002, 0o000, 0o077])
def test_folders_and_entries_are_the_users_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        cache = Cache(tmp_path / "cache")
        with cache.claim("object", K1, wait=False) as is_ours:
            assert is_ours
        cache = kept(cache.root)
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in (cache.root, *cache.root.rglob("*"))}
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items())
    assert cache.get("object", K1) == b"code"


@pytest.mark.parametrize("bits", [0o020, 0o002])
@pytest.mark.parametrize("what", ["folder", "entry"])
def test_what_others_may_write_is_not_used(tmp_path: Path, what: str, bits: int) -> None:
    cache = kept(tmp_path / "cache")
    path = cache.root if what == "folder" else cache.path("object", K1)
    path.chmod(path.stat().st_mode | bits)
    with pytest.warns(RuntimeWarning, match="is not used.*other users may write to it; remove it") as told:
        assert cache.get("object", K1) is None
        assert cache.map("object", K1) is None
        assert not cache.put("object", K2, b"more")
    assert len(told) == 1
    assert not cache.path("object", K2).exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["folder", "entry"])
def test_what_belongs_to_another_user_is_not_used(tmp_path: Path, what: str) -> None:
    cache = kept(tmp_path / "cache")
    os.chown(cache.root if what == "folder" else cache.path("object", K1), 12345, -1)
    with pytest.warns(RuntimeWarning, match=r"is not used.*it belongs to another user \(number 12345\)"):
        assert cache.map("object", K1, execute=True) is None


def test_a_limit_is_kept_in_the_folder(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for age, name in enumerate((K1, K2, K3)):
        cache.put("object", name, bytes(900))
        os.utime(cache.path("object", name), (1e9 + age, 1e9 + age))
    (tmp_path / "zoo" / "assets").mkdir(parents=True)
    (tmp_path / "zoo" / "assets" / "picture").write_bytes(bytes(5000))
    cache.set_limit(2200)
    assert [cache.has("object", name) for name in (K1, K2, K3)] == [False, True, True]
    assert Cache(tmp_path).limit_bytes == 2200
    assert (tmp_path / "zoo" / "assets" / "picture").exists()


def test_what_is_not_checked_is_only_mapped(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    assert store.put("weights", "ab" * 32, [b"x" * 10, b"y" * 10], checked=False)
    assert store.get("weights", "ab" * 32) is None
    assert store.map("weights", "ab" * 32, check=True) is None
    found = store.map("weights", "ab" * 32)
    assert found is not None
    assert found.payload.tobytes() == b"x" * 10 + b"y" * 10


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="the system does not list open files")
@pytest.mark.parametrize("execute", [False, True])
def test_an_entry_that_many_have_mapped_keeps_one_file_open(tmp_path: Path, execute: bool) -> None:
    cache = Cache(tmp_path)
    assert cache.put("image", K1, b"code")
    before = len(list(OPEN_FILES.iterdir()))
    entries = [cache.map("image", K1, execute=execute) for _ in range(20)]
    assert all(entry is not None and entry.may_run == execute for entry in entries)
    assert len(list(OPEN_FILES.iterdir())) <= before + 1
    assert cache.put("image", K1, b"news")
    other = cache.map("image", K1, execute=execute)
    assert other is not None and other.payload.tobytes() == b"news"
    assert entries[0] is not None and entries[0].payload.tobytes() == b"code"
    del entries, other
    assert len(list(OPEN_FILES.iterdir())) == before

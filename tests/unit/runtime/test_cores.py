"""How many threads a process gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sardonyx.runtime import cores


def tree(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/app/worker\n", {"app/worker/cpu.max": "max 100000\n", "app/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/not/visible\n", {"cpu.max": "200000 100000\n"}, 2.0),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        (
            "4:cpu,cpuacct:/pod\n0::/\n",
            {"cpu,cpuacct/pod/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/pod/cpu.cfs_period_us": "100000\n"},
            0.5,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "nonsense\n"}, None),
    ],
)
def test_the_tightest_quota_counts(
    tmp_path: Path, membership: str, files: dict[str, str], quota: float | None
) -> None:
    root = tree(tmp_path / "root", files)
    own = tmp_path / "cgroup"
    own.write_text(membership)
    assert cores._cgroup_quota(str(own), root) == quota
    assert cores._cgroup_quota(str(tmp_path / "missing"), root) is None


def test_hardware_threads_of_one_core_count_once(tmp_path: Path) -> None:
    root = tree(
        tmp_path, {f"cpu{i}/topology/thread_siblings_list": f"{i % 2},{i % 2 + 2}\n" for i in range(4)}
    )
    assert len(cores._one_cpu_per_core(range(4), root)) == 2
    assert len(cores._one_cpu_per_core([0, 1, 7], root)) == 3


def test_cores_are_looked_at_once_and_who_may_use_them_each_time(tmp_path: Path) -> None:
    root = tree(tmp_path, {f"cpu{i}/topology/thread_siblings_list": f"{i // 2}\n" for i in range(4)})
    assert len(cores._one_cpu_per_core(range(4), root)) == 2
    (tmp_path / "cpu0/topology/thread_siblings_list").write_text("another\n")
    assert len(cores._one_cpu_per_core(range(4), root)) == 2
    assert len(cores._one_cpu_per_core([3], root)) == 1


@pytest.mark.parametrize(("quota", "size"), [(0.5, 1), (1.0, 1), (1.9, 1), (1000.0, None), (None, None)])
def test_a_quota_bounds_the_team(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, size: int | None
) -> None:
    monkeypatch.setattr(cores, "_cgroup_quota", lambda *_: quota)
    assert 1 <= cores.team_size() <= cores.usable_cpus() <= (os.cpu_count() or 1)
    assert size is None or cores.usable_cpus() == size

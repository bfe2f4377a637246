"""How many threads this process may keep busy: affinity, container quota and physical cores. Starts none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path


def usable_cpus() -> int:
    """Logical CPUs this process may run on at once, at least 1; a container's quota counts whole CPUs."""
    quota = _cgroup_quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    count = len(_affinity())
    return max(1, min(count, int(quota)) if quota else count)


def team_size() -> int:
    """The default number of threads: one for each physical core this process may use."""
    cores = len(_one_cpu_per_core(_affinity(), Path("/sys/devices/system/cpu")))
    return max(1, min(cores, usable_cpus()))


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _one_cpu_per_core(cpus: Iterable[int], root: Path) -> set[str]:
    """The distinct sets of hardware threads; each CPU stands for itself where the system does not tell."""
    cores = set()
    for cpu in cpus:
        siblings = str(cpu)
        with suppress(OSError):
            siblings = (root / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
        cores.add(siblings)
    return cores


def _cgroup_quota(membership: Path, root: Path) -> float | None:
    """CPUs granted by the tightest limit on the way from this process's control group to the root."""
    quotas: list[float] = []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            quotas += _walk(root, group, _quota_v2)
        elif "cpu" in controllers.split(","):
            quotas += _walk(root / controllers, group, _quota_v1) or _walk(root / "cpu", group, _quota_v1)
    return min(quotas, default=None)


def _walk(root: Path, group: str, quota: Callable[[Path], float | None]) -> list[float]:
    folder = root / group.strip("/")
    found = []
    # Inside a container the path may be the host's, which is not visible; the root is then the own group.
    for place in {root, *(p for p in (folder, *folder.parents) if p.is_relative_to(root))}:
        with suppress(OSError, ValueError):
            if (value := quota(place)) is not None:
                found.append(value)
    return found


def _quota_v2(folder: Path) -> float | None:
    allowed, period = (folder / "cpu.max").read_text().split()
    return None if allowed == "max" else int(allowed) / int(period)


def _quota_v1(folder: Path) -> float | None:
    allowed = int((folder / "cpu.cfs_quota_us").read_text())
    return None if allowed <= 0 else allowed / int((folder / "cpu.cfs_period_us").read_text())

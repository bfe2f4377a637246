"""How many threads this process may keep busy: affinity, container quota and physical cores. Starts none.

Paths are text: every session asks, and a Path costs more than to open the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache


def usable_cpus() -> int:
    """Logical CPUs this process may run on at once, at least 1; a container's quota counts whole CPUs."""
    quota = _cgroup_quota("/proc/self/cgroup", "/sys/fs/cgroup")
    count = len(_affinity())
    return max(1, min(count, int(quota)) if quota else count)


def team_size() -> int:
    """The default number of threads: one for each physical core this process may use."""
    cores = len(_one_cpu_per_core(_affinity(), "/sys/devices/system/cpu"))
    return max(1, min(cores, usable_cpus()))


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _one_cpu_per_core(cpus: Iterable[int], root: str) -> set[str]:
    """The distinct sets of hardware threads; each CPU stands for itself where the system does not tell."""
    return {_siblings(cpu, root) for cpu in cpus}


@cache
def _siblings(cpu: int, root: str) -> str:
    """The hardware threads of a CPU's core, which stay: quotas and affinities change, cores do not."""
    try:
        return _read(f"{root}/cpu{cpu}/topology/thread_siblings_list").strip()
    except OSError:
        return str(cpu)


def _cgroup_quota(membership: str, root: str) -> float | None:
    """CPUs granted by the tightest limit on the way from this process's control group to the root."""
    quotas: list[float] = []
    try:
        lines = _read(membership).splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            quotas += _walk(root, group, _quota_v2)
        elif "cpu" in controllers.split(","):
            quotas += _walk(f"{root}/{controllers}", group, _quota_v1) or _walk(
                f"{root}/cpu", group, _quota_v1
            )
    return min(quotas, default=None)


def _walk(root: str, group: str, quota: Callable[[str], float | None]) -> list[float]:
    found = []
    place = group.strip("/")
    # Inside a container the path may be the host's, which is not visible; the root is then the own group.
    while True:
        with suppress(OSError, ValueError):
            if (value := quota(f"{root}/{place}")) is not None:
                found.append(value)
        if not place:
            return found
        place = place.rpartition("/")[0]


def _quota_v2(folder: str) -> float | None:
    allowed, period = _read(f"{folder}/cpu.max").split()
    return None if allowed == "max" else int(allowed) / int(period)


def _quota_v1(folder: str) -> float | None:
    allowed = int(_read(f"{folder}/cpu.cfs_quota_us"))
    return None if allowed <= 0 else allowed / int(_read(f"{folder}/cpu.cfs_period_us"))


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()

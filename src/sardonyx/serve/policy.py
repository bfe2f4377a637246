"""How the requests of one model are queued and joined: its configuration as numbers.

Decides defaults; must not know queues.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sardonyx.protocol.errors import invalid
from sardonyx.serve.options import ServeOptions

_MICROSECOND_NS = 1_000
_JOINED_ROWS = 32


@dataclass(frozen=True, slots=True)
class Pad:
    """How requests of unlike lengths are made alike: every input that has the free size `size` is filled up.

    Lengths go up to the next of `buckets` (or to the longest of a batch if there are none), filled with
    `values` by input, 0 elsewhere; so the input `mask` says which positions are real.
    """

    size: str
    mask: str
    buckets: tuple[int, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in nanoseconds, sizes in rows; `most_rows` 0 = requests are never joined.

    `instances` runs may go on at once, and up to `most_instances` where that answers more. `limits` says
    whether a single request may have no more than `most_rows`. Priority 1 is the first of `levels`. With
    `rejects`, a request whose queue time is over is refused, else it goes on waiting.
    """

    most_rows: int = 0
    limits: bool = False
    preferred: tuple[int, ...] = ()
    delay_ns: int = 0
    levels: int = 1
    default_level: int = 1
    queue_size: int = 256
    timeout_ns: int = 0
    overrides_timeout: bool = True
    rejects: bool = True
    instances: int = 1
    most_instances: int = 1
    caches: bool = False
    pad: Pad | None = None


def policy_of(
    config: Mapping[str, Any], options: ServeOptions, *, batches: bool, where: str, most_instances: int = 1
) -> Policy:
    """The policy of a configuration; what it leaves open follows from the model and the server's options.

    `most_instances` counts where neither instances nor batching are configured.
    """
    stated = "max_batch_size" in config or "dynamic_batching" in config
    batching: Mapping[str, Any] = config.get("dynamic_batching", {})
    queue: Mapping[str, Any] = batching.get("default_queue_policy", {})
    most = int(config.get("max_batch_size", 0))
    if most < 0:
        raise invalid(f"configuration of '{where}': 'max_batch_size' must not be negative")
    levels = int(batching.get("priority_levels", 0)) or 1
    groups = config.get("instance_group", [])
    instances = max(1, sum(int(group.get("count", 1)) for group in groups))
    timeout_s = options.timeout_s or 0.0
    return Policy(
        most_rows=(most if "dynamic_batching" in config else 0) if stated else _JOINED_ROWS * batches,
        limits=most > 0,
        preferred=tuple(sorted(int(size) for size in batching.get("preferred_batch_size", ()))),
        delay_ns=int(batching.get("max_queue_delay_microseconds", 0)) * _MICROSECOND_NS,
        levels=levels,
        default_level=int(batching.get("default_priority_level", 0)) or (levels + 1) // 2,
        queue_size=int(queue.get("max_queue_size", 0)) or options.queue_size,
        timeout_ns=int(queue.get("default_timeout_microseconds", 0)) * _MICROSECOND_NS
        or int(timeout_s * 1e9),
        overrides_timeout=bool(queue.get("allow_timeout_override", not queue)),
        rejects=queue.get("timeout_action", "REJECT") == "REJECT",
        instances=instances,
        most_instances=instances if groups or batching else max(instances, most_instances),
        caches=bool(config.get("response_cache", {}).get("enable", False)),
        pad=_pad(config, where),
    )


def _pad(config: Mapping[str, Any], where: str) -> Pad | None:
    given: Any = config.get("pad")
    if given is None:
        text = config.get("parameters", {}).get("pad", {}).get("string_value")
        if text is None:
            return None
        try:
            given = json.loads(text)
        except ValueError as error:
            raise invalid(f"configuration of '{where}': parameter 'pad' is not JSON: {error}") from None
    try:
        values = {str(name): float(value) for name, value in given.get("values", {}).items()}
        buckets = tuple(sorted(int(size) for size in given.get("buckets", ())))
        return Pad(str(given["size"]), str(given["mask"]), buckets, values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise invalid(
            f"configuration of '{where}': 'pad' must name 'size' (the free size) and 'mask' (the input that "
            f"marks real positions), with 'buckets' and 'values' if wanted; {error!r} is wrong"
        ) from None

"""Load over gRPC: one prepared message over one channel, so many calls at a time.

    python rpc_load.py PORT METHOD CONCURRENCY SECONDS < message

Bytes go in and out as they are. Prints what load.py prints.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any

import grpc.aio


async def run(port: int, method: str, concurrency: int, seconds: float, message: bytes) -> dict[str, float]:
    """Ask again and again."""
    took: list[int] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary(method)
        await call(message)
        began = time.perf_counter_ns()
        end = began + int(seconds * 1e9)

        async def ask() -> None:
            while (now := time.perf_counter_ns()) < end:
                await call(message)
                took.append(time.perf_counter_ns() - now)

        await asyncio.gather(*(ask() for _ in range(concurrency)))
        elapsed = (time.perf_counter_ns() - began) / 1e9
    took.sort()
    return {
        "requests": len(took),
        "seconds": elapsed,
        "median_us": statistics.median(took) / 1e3,
        "p99_us": took[int(len(took) * 0.99)] / 1e3,
    }


if __name__ == "__main__":
    port, method, concurrency, seconds = sys.argv[1:]
    result = run(int(port), method, int(concurrency), float(seconds), sys.stdin.buffer.read())
    print(json.dumps(asyncio.run(result)))

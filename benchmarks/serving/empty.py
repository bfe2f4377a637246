"""The least there can be: an ASGI handler that reads a body and answers so many bytes, an empty gRPC call.

python empty.py HTTP_PORT GRPC_PORT ANSWER_BYTES
"""

from __future__ import annotations

import sys
from typing import Any

import grpc
import grpc.aio
import uvicorn

BODY = b"x" * int(sys.argv[3])
HEADERS = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % len(BODY))]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Read all, answer the same."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def nothing(request: bytes, context: Any) -> bytes:
    """The empty call."""
    return b""


async def main() -> None:
    """Answer on both ports."""
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(nothing)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("empty.Empty", {"Call": method}),))
    server.add_insecure_port(f"127.0.0.1:{sys.argv[2]}")
    await server.start()
    config = uvicorn.Config(
        application,
        port=int(sys.argv[1]),
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())

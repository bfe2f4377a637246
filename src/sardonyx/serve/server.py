"""Listeners and their life: HTTP and gRPC in the running loop, and applications beside the data plane.

Decides what is started and stopped in which order; must not know what is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping

import uvicorn

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve.core import Core
from sardonyx.serve.http.app import DataPlane
from sardonyx.serve.http.direct import protocol_class
from sardonyx.serve.http.exchange import Application, Receive, Scope, Send, refuse
from sardonyx.serve.http.origins import shared
from sardonyx.serve.http.score import PREFIX as SCORE
from sardonyx.serve.http.score import Score
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.ports import bound
from sardonyx.serve.rpc.listener import RpcListener
from sardonyx.serve.tls import Credentials

_BACKLOG = 2048
_KEEP_ALIVE_S = 65


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fastest event loop that is installed; None = the usual one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def tune_process() -> None:
    """Settings of the interpreter for a process that does nothing but serve; called once all is loaded.

    What is loaded by now lives on, so the collector need not look at it; and a thread that comes back from
    native code gets the interpreter within half a millisecond.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(0.0005)


class Server:
    """The core behind its ports. `async with Server(core, options, mounts):` serves while the block runs.

    `mounts` gives ASGI applications by path prefix, such as "/admin"; the longest prefix wins, and the
    application sees the prefix as its root path; "/" is that path alone. Port 0 takes a free one; `http_port`
    and `grpc_port` are those in use.
    """

    def __init__(
        self, core: Core, options: ServeOptions | None = None, mounts: Mapping[str, Application] | None = None
    ) -> None:
        self.core = core
        self.options = options or core.options
        self.http_port = self.options.http_port
        self.grpc_port = self.options.grpc_port
        self.credentials = Credentials(self.options.tls) if self.options.tls else None
        self._plane = DataPlane(core)
        origins = self.options.cors_origins
        score = shared(Score(core), origins)
        self._dispatch = _Dispatch(shared(self._plane, origins), {SCORE: score, **(mounts or {})})
        self._http: _Listener | None = None
        self._rpc: RpcListener | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def application(self) -> Application:
        """What answers HTTP, for those who listen themselves."""
        return self._dispatch

    @property
    def http_url(self) -> str:
        """Where HTTP is answered."""
        return f"http{'s' if self.credentials else ''}://{self.options.host}:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        """Where gRPC is answered."""
        return f"grpc{'s' if self.credentials else ''}://{self.options.host}:{self.grpc_port}"

    async def start(self) -> None:
        """Listen, then load the models: meanwhile /v2/health/live is true and ready is not.

        OSError if a port is taken.
        """
        listening = bound(self.options.host, self.options.http_port, "--http-port")
        listening.listen(_BACKLOG)
        self.http_port = listening.getsockname()[1]
        self._rpc = RpcListener(self.core, self.options)
        self.grpc_port = await self._rpc.start(self.options.host, self.options.grpc_port, self.credentials)
        config = uvicorn.Config(
            self._dispatch,
            http=protocol_class(self._plane, self.options),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(self.options.drain_s),
            **(self.credentials.for_http() if self.credentials else {}),
        )
        config.load()
        if self.credentials:
            self.credentials.watch(config)
        self._http = _Listener(config)
        self._serving = asyncio.create_task(self._http.serve([listening]))
        while not self._http.started and not self._serving.done():
            await asyncio.sleep(0.001)
        try:
            await self.core.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Answer what was accepted, then close everything."""
        ends: list[Awaitable[None]] = []
        if self._http is not None and self._serving is not None:
            self._http.ending.set()
            ends.append(self._serving)
        if self._rpc is not None:
            ends.append(self._rpc.stop(self.options.drain_s))
        await asyncio.gather(*ends)
        await self.core.close()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _Listener(uvicorn.Server):
    """uvicorn without its signal handlers, since who embeds us decides on signals, and without its clock."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Nothing is to be done while connections are served."""
        await self.on_tick(0)
        await self.ending.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Dispatch:
    def __init__(self, data_plane: Application, mounts: Mapping[str, Application]) -> None:
        self._data_plane = data_plane
        self._mounts = sorted(mounts.items(), key=lambda item: -len(item[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith("/v2") and (len(path) == 3 or path[3] == "/"):
            await self._data_plane(scope, receive, send)
            return
        for prefix, application in self._mounts:
            inside = prefix.rstrip("/")
            if path == prefix or (inside and path.startswith(inside + "/")):
                root = scope.get("root_path", "") + inside
                await application({**scope, "root_path": root}, receive, send)
                return
        text = f"there is nothing at {path}; the protocol is under /v2, and /v2/docs describes it"
        await refuse(send, ServeError(Code.NOT_FOUND, text), scope)

"""The Python SDK: inference and administration over HTTP, synchronous and asynchronous."""

from sardonyx.client.asynchronous import AsyncClient as AsyncClient
from sardonyx.client.synchronous import Client as Client
from sardonyx.client.wire import Answer as Answer
from sardonyx.protocol.errors import Code as Code
from sardonyx.protocol.errors import ServeError as ServeError

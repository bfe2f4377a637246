"""What can go wrong with a request, and what each transport says then.

One exception with a code; the row of a code holds its HTTP status and the name of its gRPC status. Must not
know any transport.
"""

from __future__ import annotations

from enum import Enum


class Code(Enum):
    """A kind of failure: (HTTP status, gRPC status)."""

    INVALID_ARGUMENT = (400, "INVALID_ARGUMENT")
    UNAUTHENTICATED = (401, "UNAUTHENTICATED")
    FORBIDDEN = (403, "PERMISSION_DENIED")
    NOT_FOUND = (404, "NOT_FOUND")
    METHOD = (405, "UNIMPLEMENTED")
    CONFLICT = (409, "ALREADY_EXISTS")
    TOO_LARGE = (413, "INVALID_ARGUMENT")
    MEDIA = (415, "INVALID_ARGUMENT")
    QUOTA = (429, "RESOURCE_EXHAUSTED")
    CANCELLED = (499, "CANCELLED")
    INTERNAL = (500, "INTERNAL")
    UNSUPPORTED = (501, "UNIMPLEMENTED")
    UNAVAILABLE = (503, "UNAVAILABLE")
    DEADLINE = (504, "DEADLINE_EXCEEDED")

    @property
    def http(self) -> int:
        """The HTTP status."""
        return self.value[0]

    @property
    def grpc(self) -> str:
        """The name of the gRPC status."""
        return self.value[1]


class ServeError(Exception):
    """A request that cannot be met: what, where and what to do, in words meant for the client.

    `retry_after_s` is when the client may try again, in seconds; None if trying again is no use. `request_id`
    names the request that failed, if it has a name.
    """

    def __init__(self, code: Code, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.request_id = ""


def invalid(message: str) -> ServeError:
    """The request contradicts the protocol or the model."""
    return ServeError(Code.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServeError:
    """There is no such model, version or other named thing."""
    return ServeError(Code.NOT_FOUND, message)

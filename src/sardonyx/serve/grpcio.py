"""gRPC's library, told how to wait for messages: by a variable, before it is first imported.

Decides which of the library's experiments are on, unless the user does. Must not know what is listened for.
"""

import os

_VARIABLE = "GRPC_EXPERIMENTS"
LISTENER = "-event_engine_listener"
"""Off: it hands each message from thread to thread, by which an empty call takes a quarter more CPU."""

if _VARIABLE in os.environ:
    import grpc
else:
    os.environ[_VARIABLE] = LISTENER
    try:
        import grpc
    finally:
        del os.environ[_VARIABLE]

__all__ = ["LISTENER", "grpc"]

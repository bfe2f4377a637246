"""Which web pages of other origins may ask: the headers of CORS around an application.

Must not know what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware

from sardonyx.serve.http.exchange import Application

_ORIGIN = re.compile(r"https?://[^\s/?#*@]+")
_EXPOSED = ("inference-header-content-length", "x-request-id", "retry-after", "content-encoding")
_MAX_AGE_S = 600


def is_origin(text: str) -> bool:
    """Whether browsers can name that origin: scheme, host and port without a path; "*" is any."""
    return text == "*" or _ORIGIN.fullmatch(text) is not None


def shared(application: Application, origins: Sequence[str]) -> Application:
    """The application, whose answers pages of these origins may read. Cookies are not asked for."""
    if not origins:
        return application
    return CORSMiddleware(
        application,
        allow_origins=[origin.lower() for origin in origins],
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=_EXPOSED,
        max_age=_MAX_AGE_S,
    )

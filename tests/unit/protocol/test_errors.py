"""Every failure has an HTTP status and the name of a gRPC status."""

from __future__ import annotations

from http import HTTPStatus

import grpc
import pytest

from sardonyx.protocol.errors import Code, ServeError, invalid, not_found


@pytest.mark.parametrize("code", list(Code))
def test_codes(code: Code) -> None:
    assert hasattr(grpc.StatusCode, code.grpc)
    assert code.http == 499 or HTTPStatus(code.http).phrase
    assert 400 <= code.http < 600


def test_words_for_clients() -> None:
    error = ServeError(Code.QUOTA, "wait", 2.5)
    assert (str(error), error.message, error.retry_after_s) == ("wait", "wait", 2.5)
    assert (invalid("m").code, not_found("m").code) == (Code.INVALID_ARGUMENT, Code.NOT_FOUND)
    assert invalid("m").retry_after_s is None

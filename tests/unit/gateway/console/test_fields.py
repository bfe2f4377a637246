"""Fields of a form: texts without blanks around them, and numbers that are numbers."""

from __future__ import annotations

import io

import pytest
from starlette.datastructures import FormData, UploadFile

from sardonyx.gateway.console.fields import number, text
from sardonyx.protocol.errors import Code, ServeError


def test_a_text_is_what_was_written() -> None:
    form = FormData({"a": "  x y ", "file": UploadFile(io.BytesIO(b"x"))})
    assert (text(form, "a"), text(form, "file"), text(form, "none")) == ("x y", "", "")


def test_a_number_may_have_a_fraction() -> None:
    assert (number("1.5", "it"), number(" -2 ", "it"), number("1e3", "it")) == (1.5, -2, 1000)


@pytest.mark.parametrize("wrong", ["", "much", "nan", "inf", "-inf", "1e999"])
def test_what_is_no_number_is_told(wrong: str) -> None:
    with pytest.raises(ServeError, match=f"^the share: '{wrong}' is not a number$") as caught:
        number(wrong, "the share")
    assert caught.value.code is Code.INVALID_ARGUMENT

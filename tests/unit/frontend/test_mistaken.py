"""What is taken for a model is named by how it begins."""

from __future__ import annotations

import pytest

from sardonyx.frontend.mistaken import likely, unparsed


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\n <!DOCTYPE html>", "HTML"),
        (b"PK\x03\x04", "zip archive"),
        (b'<?xml version="1.0"?>', "XML"),
        (b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
        (b" \0\0\0TFL3", "TensorFlow Lite"),
        (b"<\0\0\0\0\0\0\0", "only a part of one"),
        (b"\x80\x04", "pickle"),
        (b"GGUF\x03", "there is no converter"),
        (b"\x08\x08\x12", "only a part of one"),
        (b"", "only a part of one"),
    ],
)
def test_files_are_named_by_their_beginning(start: bytes, said: str) -> None:
    assert said in likely(start)


@pytest.mark.parametrize("error", [RecursionError(), ValueError("Exceeded upb_DecodeOptions_MaxDepth")])
def test_bodies_in_each_other_are_named(error: Exception) -> None:
    assert "deeper than files can be read" in unparsed(b"", error)
    assert unparsed(b"GGUF", ValueError("corrupt")) == likely(b"GGUF")

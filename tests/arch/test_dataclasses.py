"""What a start imports makes its dataclasses the quick way."""

from __future__ import annotations

from pathlib import Path

from sardonyx.store import identity

SOURCES = Path(__file__).parents[2] / "src" / "sardonyx"


def test_the_engine_makes_its_dataclasses_the_quick_way() -> None:
    paths = [path.relative_to(SOURCES) for path in sorted(SOURCES.glob("*/**/*.py"))]
    engine = [path for path in paths if path.parts[0] not in identity.ABOVE - {"ort"}]
    texts = {path.as_posix(): (SOURCES / path).read_text(encoding="utf-8") for path in engine}
    assert [name for name, text in texts.items() if "\nfrom dataclasses import" in text] == []

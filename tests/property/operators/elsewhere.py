"""Operators without a recipe: why, or which test draws them instead."""

from __future__ import annotations

ELSEWHERE: dict[str, str] = {
    "If": "tests/property/models.py draws branches inside of graphs",
    "Loop": "tests/property/models.py draws bodies inside of graphs",
    "Scan": "tests/property/models.py draws bodies inside of graphs",
    **dict.fromkeys(
        (
            "com.microsoft.BeamSearch",
            "com.microsoft.GreedySearch",
            "com.microsoft.Sampling",
            "com.microsoft.WhisperBeamSearch",
        ),
        "tests/unit/ops/microsoft/test_search.py draws searches over decoders",
    ),
    "com.microsoft.SparseToDenseMatMul": "tests/unit/ops/test_contrib_formulas.py has sparse initialisers",
}

"""Operators without a recipe: why, or which test draws them instead."""

from __future__ import annotations

ELSEWHERE: dict[str, str] = {
    "If": "tests/property/models.py draws branches inside of graphs",
    "Loop": "tests/property/models.py draws bodies inside of graphs",
    "Scan": "tests/property/models.py draws bodies inside of graphs",
    "com.microsoft.SparseToDenseMatMul": "tests/unit/ops/test_contrib_formulas.py has sparse initialisers",
}

"""The table of primitives is complete and says of each what every stage asks."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir import prims
from sardonyx.ir.prims import PRIMS, load_algorithms, register
from sardonyx.ir.value import make, placeholder

KINDS = {"source", "map", "reduce", "scan", "view", "index", "contract", "opaque", "control"}


def test_rows_are_filed_under_their_names_and_of_known_kinds() -> None:
    load_algorithms()
    assert all(row.name == name and row.kind in KINDS for name, row in PRIMS.items())
    assert all(row.cost > 0 for row in PRIMS.values())


def test_a_table_that_knows_only_its_own_rows_finds_the_others_late() -> None:
    table = prims._Table()
    table.update({name: PRIMS[name] for name in ("add", "topk")})
    with pytest.raises(KeyError, match="nonsense"):
        table["nonsense"]
    assert PRIMS["lstm"].kind == "opaque"


def test_a_registered_primitive_is_one_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRIMS, "twice", PRIMS["neg"])
    register("twice", "opaque", lambda x, *, times: x * times, dense=True, constant=iter([1]))
    row = PRIMS["twice"]
    assert row.run([np.float32([2])], {"times": 3}).tolist() == [6]
    assert (row.dense, row.constant, row.rows) == (True, (1,), ())
    x = placeholder("x", dt.F32, (1,))
    assert make("twice", (x,), {"times": 2}, dt.F32, (1,)).kind == "opaque"


@pytest.mark.parametrize("name", ["div", "mod", "fmod", "pow"])
def test_integers_have_costs_of_their_own_where_they_differ(name: str) -> None:
    assert PRIMS[name].whole_cost is not None

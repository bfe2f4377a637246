"""The table of primitives is complete and says of each what every stage asks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir import algorithms, late, prims
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


def test_each_file_of_algorithms_registers_what_is_said_to_be_there() -> None:
    found: dict[str, str] = {}
    for file in Path(algorithms.__file__).parent.glob("*.py"):
        names = re.findall(r'register\(\s*"(\w+)"', file.read_text(encoding="utf-8"))
        found |= dict.fromkeys(names, f"sardonyx.ir.algorithms.{file.stem}")
    assert found == late.HOMES
    assert all(PRIMS[name].name == name for name in found)


def test_one_algorithm_does_not_import_the_others() -> None:
    code = "import sys; from sardonyx.ir.prims import PRIMS; PRIMS['if']; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "sardonyx.ir.algorithms.control" in modules.split()
    assert "sardonyx.ir.algorithms.sort" not in modules.split()


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

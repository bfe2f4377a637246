"""What stands in JSON for NaN and infinities, of known requests as of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from sardonyx.serve.http.express import Express
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server
from tests.serve.test_lane import Line, in_json, serving


def test_what_is_no_number_of_json_is_written_as_ever(tmp_path: Path) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        await line.ask(in_json("logarithm", x=np.float32([[1, 2]])))
        answer = await line.ask(in_json("logarithm", x=np.float32([[0, -1]])))
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["outputs"][0]["data"][0] == -np.inf
        assert b"NaN" in answer
        assert express.answered == 1

    serving(tmp_path, use)


@pytest.mark.parametrize("non_finite", ["null", "error"])
def test_strict_clients_get_null_or_an_error(tmp_path: Path, non_finite: Any) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        odd = np.float32([[0, -1]])
        unmet = (await line.ask(in_json("logarithm", x=odd))).partition(b"\r\n\r\n")[2]
        await line.ask(in_json("logarithm", x=np.float32([[1, 2]])))
        met = (await line.ask(in_json("logarithm", x=odd))).partition(b"\r\n\r\n")[2]
        assert met == unmet
        document = orjson.loads(met)
        if non_finite == "null":
            assert document["outputs"][0]["data"] == [None, None]
        else:
            assert "'y'" in document["error"] and "binary_data" in document["error"]

    serving(tmp_path, use, options=ServeOptions(non_finite=non_finite))

"""The core without a transport: what is loaded, replaced, put to sleep, joined, padded, remembered."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.base.garbage import uncollected
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import InferRequest, RequestedOutput, Tensor
from sardonyx.serve.core import Core
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.options import ServeOptions
from tests.serve.models import STARTED, STARTED_CONFIG, SUM_AND_DIFFERENCE, identity, repository, save

SCALED = """
<ir_version: 10, opset_import: ["" : 21]>
scaled (float[N, 2] x) => (float[N, 2] y) <float factor = {FACTOR}> {
    y = Mul(x, factor)
}
"""
# Rows are not independent: each is divided by the sum of all.
NORMALISED = """
<ir_version: 10, opset_import: ["" : 21]>
normalised (float[N, 2] x) => (float[N, 2] y) {
    total = ReduceSum<keepdims = 0>(x)
    y = Div(x, total)
}
"""
# The mean over the positions that the mask marks.
MASKED_MEAN = """
<ir_version: 10, opset_import: ["" : 21]>
mean (float[N, S] x, int64[N, S] mask) => (float[N] y, float[N, S] z) <int64[1] last = {1}> {
    m = Cast<to = 1>(mask)
    z = Mul(x, m)
    sum = ReduceSum<keepdims = 0>(z, last)
    count = ReduceSum<keepdims = 0>(m, last)
    y = Div(sum, count)
}
"""


def scaled(factor: float) -> str:
    return SCALED.replace("FACTOR", f"{factor}")


def request(model: str, **inputs: np.ndarray) -> InferRequest:
    kinds = {"float32": "FP32", "int64": "INT64", "int32": "INT32"}
    tensors = [Tensor(n, kinds[str(array.dtype)], array.shape, array) for n, array in inputs.items()]
    return InferRequest(model, tensors)


def with_core(path: Path, use: Callable[[Core], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """What `use` gives, with a core of the models at a path."""

    async def run() -> Any:
        core = Core(FolderSource(path), replace(ServeOptions(), **options))
        await core.start()
        try:
            return await asyncio.wait_for(use(core), 60)
        finally:
            await core.close()

    return asyncio.run(run())


def test_what_a_model_held_goes_with_it(tmp_path: Path) -> None:
    """Without a search for cycles, during which nothing is answered."""
    save(scaled(2.0), tmp_path / "m/1/model.onnx")
    (tmp_path / "m/config.pbtxt").write_text("response_cache { enable: true }")

    async def use(core: Core) -> None:
        assert await first_value(core) == 2
        model = core.model("m")
        held = [weakref.ref(model), weakref.ref(model.session)]
        del model
        await core.unload("m")
        # A thread that answered may end its last call a moment later.
        for _ in range(500):
            if not any(seen() for seen in held):
                break
            await asyncio.sleep(0.01)
        assert [seen() for seen in held] == [None, None]

    with uncollected():
        with_core(tmp_path, use)


async def first_value(core: Core, model: str = "m") -> float:
    response = await core.infer(request(model, x=np.ones((1, 2), np.float32)))
    return float(response.outputs[0].data[0, 0])


def test_a_changed_file_replaces_the_model_while_it_answers(tmp_path: Path) -> None:
    path = save(scaled(2.0), tmp_path / "m.onnx")

    async def use(core: Core) -> tuple[set[float], float]:
        seen: set[float] = set()
        ended = asyncio.Event()

        async def ask() -> None:
            while not ended.is_set():
                seen.add(await first_value(core))
                await asyncio.sleep(0)

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        for factor in (3.0, 4.0):
            save(scaled(factor), path)
            os.utime(path, (factor, factor))
            await core.refresh()
        ended.set()
        await asyncio.gather(*asking)
        return seen, await first_value(core)

    seen, last = with_core(tmp_path, use)
    assert seen <= {2.0, 3.0, 4.0}
    assert last == 4.0


def test_a_broken_file_leaves_the_old_model_serving(tmp_path: Path) -> None:
    path = save(scaled(2.0), tmp_path / "m.onnx")

    async def use(core: Core) -> float:
        path.write_bytes(b"no model")
        with pytest.raises(ServeError, match="failed to load 'm'"):
            await core.load("m")
        (row,) = core.index()
        assert row["state"] == "READY"
        assert "refused" in row["reason"]
        return await first_value(core)

    assert with_core(tmp_path, use) == 2.0


def test_a_model_that_cannot_be_loaded_is_listed_with_the_reason(tmp_path: Path) -> None:
    save(scaled(2.0), tmp_path / "good.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")

    async def use(core: Core) -> tuple[list[dict[str, str]], bool, float]:
        with pytest.raises(ServeError) as refused:
            await first_value(core, "bad")
        assert refused.value.code is Code.UNAVAILABLE
        return core.index(), core.ready(), await first_value(core, "good")

    (bad, good), ready, value = with_core(tmp_path, use)
    assert bad["state"] == "UNAVAILABLE"
    assert "bad" in bad["reason"]
    assert (good["state"], ready, value) == ("READY", False, 2.0)


def test_removed_and_new_files_are_followed(tmp_path: Path) -> None:
    path = save(scaled(2.0), tmp_path / "m.onnx")

    async def use(core: Core) -> float:
        path.unlink()
        save(scaled(5.0), tmp_path / "n.onnx")
        await core.refresh()
        with pytest.raises(ServeError, match="unknown model"):
            await first_value(core, "m")
        return await first_value(core, "n")

    assert with_core(tmp_path, use) == 5.0


def test_versions_are_asked_by_number_and_the_newest_by_default(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        save(scaled(float(version)), tmp_path / "m" / str(version) / "model.onnx")

    async def use(core: Core) -> list[float]:
        values = []
        for version in ("1", "2", "10", ""):
            question = replace(request("m", x=np.ones((1, 2), np.float32)), version=version)
            values.append(float((await core.infer(question)).outputs[0].data[0, 0]))
        return values

    assert with_core(tmp_path, use) == [1.0, 2.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", ["3"]),
        ("version_policy { all {} }", ["1", "2", "3"]),
        ("version_policy { specific { versions: [1, 3] } }", ["1", "3"]),
        ("version_policy { latest { num_versions: 2 } }", ["2", "3"]),
    ],
)
def test_version_policies_of_triton(tmp_path: Path, policy: str, versions: list[str]) -> None:
    for version in (1, 2, 3):
        save(scaled(1.0), tmp_path / "m" / str(version) / "model.onnx")
    (tmp_path / "m" / "config.pbtxt").write_text(f"max_batch_size: 4 {policy}")
    assert [offer.version for offer in FolderSource(tmp_path).offers()] == versions


def test_models_give_way_and_come_back(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(scaled(2.0), tmp_path / f"{name}.onnx")

    async def use(core: Core) -> list[int]:
        loaded = [len(core.repository.loaded())]
        assert core.ready()
        for name in ("a", "b", "c", "a"):
            assert await first_value(core, name) == 2.0
            assert core.ready("a")
            loaded.append(len(core.repository.loaded()))
        return loaded

    assert with_core(tmp_path, use, memory_bytes=1) == [1] * 5


def test_requests_are_joined_where_rows_are_independent(tmp_path: Path) -> None:
    save(scaled(2.0), tmp_path / "rows.onnx")
    save(NORMALISED, tmp_path / "all.onnx")

    async def use(core: Core) -> dict[str, Any]:
        return {name: core.model(name).batch_axis for name in ("rows", "all")}

    assert with_core(tmp_path, use) == {"rows": 0, "all": None}


def test_unlike_lengths_are_joined_by_padding(tmp_path: Path) -> None:
    config = """
    max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 200000 }
    parameters { key: "pad" value { string_value: '{"size": "S", "mask": "mask", "buckets": [4, 8]}' } }
    """
    repository(tmp_path, {"m": (MASKED_MEAN, config)})
    rows = [np.arange(n, dtype=np.float32)[None] + 1 for n in (2, 3, 4, 7, 9)]

    async def use(core: Core) -> tuple[list[Any], int]:
        model = core.model("m")
        questions = [request("m", x=row, mask=np.ones(row.shape, np.int64)) for row in rows]
        answers = await asyncio.gather(*(core.infer(question) for question in questions))
        return [answer.outputs for answer in answers], model.statistics.executions

    answers, executions = with_core(tmp_path, use)
    for row, (mean, masked) in zip(rows, answers, strict=True):
        np.testing.assert_allclose(mean.data, row.mean(1), rtol=1e-6)
        np.testing.assert_array_equal(masked.data, row)
    assert executions <= 3  # lengths 2, 3 and 4 together, 7 alone, 9 alone


def test_answers_are_remembered_if_asked_to(tmp_path: Path) -> None:
    repository(tmp_path, {"m": (scaled(2.0), "response_cache { enable: true }")})

    async def use(core: Core) -> Any:
        for value in (1.0, 2.0, 1.0, 1.0):
            response = await core.infer(request("m", x=np.full((1, 2), value, np.float32)))
            assert response.outputs[0].data.tolist() == [[2 * value] * 2]
        return core.statistics("m")["model_stats"][0]

    row = with_core(tmp_path, use)
    stats = row["inference_stats"]
    assert (stats["cache_hit"]["count"], stats["cache_miss"]["count"]) == (2, 2)
    assert row["execution_count"] == 2


def test_a_request_may_hold_no_more_rows_than_the_configuration_says(tmp_path: Path) -> None:
    repository(tmp_path, {"m": (scaled(2.0), "max_batch_size: 2")})

    async def use(core: Core) -> None:
        await core.infer(request("m", x=np.ones((2, 2), np.float32)))
        with pytest.raises(ServeError, match="batch-size must be <= 2 for 'm', got 3"):
            await core.infer(request("m", x=np.ones((3, 2), np.float32)))

    with_core(tmp_path, use)


def test_no_rows_are_answered_with_no_rows(tmp_path: Path) -> None:
    save(scaled(2.0), tmp_path / "m.onnx")

    async def use(core: Core) -> tuple[int, ...]:
        response = await core.infer(request("m", x=np.ones((0, 2), np.float32)))
        return response.outputs[0].shape

    assert with_core(tmp_path, use) == (0, 2)


def test_python_does_not_come_over_the_network(tmp_path: Path) -> None:
    save(scaled(2.0), tmp_path / "m.onnx")

    async def use(core: Core) -> None:
        for path, reason in (
            ("1/model.py", "program"),
            ("../m.onnx", "not a path"),
            ("/x/m.onnx", "not a path"),
        ):
            with pytest.raises(ServeError, match=f"failed to load 'x'.*{reason}"):
                await core.load("x", {}, {path: b"def run(x): ..."})
        assert [row["name"] for row in core.index()] == ["m"]

    with_core(tmp_path, use)


def test_a_model_is_loaded_from_files_that_were_sent(tmp_path: Path) -> None:
    save(scaled(2.0), tmp_path / "m.onnx")
    content = save(scaled(7.0), tmp_path / "elsewhere" / "m.onnx").read_bytes()

    async def use(core: Core) -> tuple[float, float]:
        await core.load("m", {"max_batch_size": 4}, {"1/model.onnx": content})
        sent = await first_value(core)
        await core.load("m")
        return sent, await first_value(core)

    assert with_core(tmp_path, use) == (7.0, 2.0)


def test_what_was_sent_and_is_no_model_leaves_nothing_behind(tmp_path: Path) -> None:
    save(scaled(2.0), tmp_path / "m.onnx")

    async def use(core: Core) -> bool:
        with pytest.raises(ServeError, match="failed to load 'x'"):
            await core.load("x", {}, {"1/model.onnx": b"nothing"})
        assert [row["name"] for row in core.index()] == ["m"]
        return core.ready()

    assert with_core(tmp_path, use)


def test_a_sequence_starts_and_needs_an_id(tmp_path: Path) -> None:
    repository(tmp_path, {"m": (STARTED, STARTED_CONFIG)})
    one = np.ones((1, 1), np.int32)

    async def ask(core: Core, **parameters: Any) -> int:
        question = replace(request("m", INPUT=one), parameters=parameters)
        return int((await core.infer(question)).outputs[0].data[0, 0])

    async def use(core: Core) -> list[int]:
        with pytest.raises(ServeError, match="non-zero"):
            await ask(core)
        with pytest.raises(ServeError, match="START flag"):
            await ask(core, sequence_id=3)
        first = await ask(core, sequence_id=3, sequence_start=True)
        second = await ask(core, sequence_id=3, sequence_end=True)
        with pytest.raises(ServeError, match="START flag"):
            await ask(core, sequence_id=3)
        return [first, second]

    assert with_core(tmp_path, use) == [2, 1]


def test_classification_names_the_greatest(tmp_path: Path) -> None:
    save(identity("float"), tmp_path / "m.onnx")

    async def use(core: Core) -> Any:
        question = request("m", x=np.array([[0.5, 2.0, -1.0], [3.0, 1.0, 2.0]], np.float32))
        question.outputs = [RequestedOutput("y", {"classification": 2})]
        return (await core.infer(question)).outputs[0]

    tensor = with_core(tmp_path, use)
    assert (tensor.datatype, tensor.shape) == ("BYTES", (2, 2))
    assert tensor.data.tolist() == [[b"2.000000:1", b"0.500000:0"], [b"3.000000:0", b"2.000000:2"]]


def test_both_outputs_or_the_one_that_is_wanted(tmp_path: Path) -> None:
    save(SUM_AND_DIFFERENCE, tmp_path / "m.onnx")
    row = np.ones((1, 16), np.int32)

    async def use(core: Core) -> list[list[str]]:
        names = []
        for wanted in (None, ["OUTPUT1"], ["OUTPUT1", "OUTPUT0", "OUTPUT1"]):
            question = request("m", INPUT1=row, INPUT0=row * 3)
            question.outputs = None if wanted is None else [RequestedOutput(name) for name in wanted]
            response = await core.infer(question)
            names.append([tensor.name for tensor in response.outputs])
            assert {t.name: int(t.data[0, 0]) for t in response.outputs}.items() <= {
                ("OUTPUT0", 4),
                ("OUTPUT1", 2),
            }
        return names

    assert with_core(tmp_path, use) == [["OUTPUT0", "OUTPUT1"], ["OUTPUT1"], ["OUTPUT1", "OUTPUT0"]]

"""What the gate says of a ratio: noise is no failure, a slowdown is; records are kept by kind of machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import families
import gate
import onnx
import pytest
from gate import Ratio

import sardonyx


@pytest.mark.parametrize(
    ("now", "failed"),
    [(2.0, False), (1.91, False), (1.89, True), (1.0, True), (2.09, False), (9.0, False)],
)
def test_a_slowdown_beyond_noise_is_a_failure(now: float, failed: bool) -> None:
    assert gate.judged(Ratio(now, 0.0), Ratio(2.0, 0.0)).failed is failed


def test_noise_of_both_measurements_counts() -> None:
    assert not gate.judged(Ratio(1.75, 0.1), Ratio(2.0, 0.04)).failed
    assert gate.judged(Ratio(1.7, 0.1), Ratio(2.0, 0.04)).failed


def test_what_has_no_record_is_no_failure() -> None:
    assert not gate.judged(Ratio(0.1, 0.0), None).failed


def test_what_is_better_asks_to_be_recorded() -> None:
    assert "--write" in gate.judged(Ratio(3.0, 0.0), Ratio(2.0, 0.0)).text
    assert "--write" not in gate.judged(Ratio(2.05, 0.0), Ratio(2.0, 0.0)).text


def taken(*values: float) -> Iterator[Ratio]:
    return (Ratio(value, 0.0) for value in values)


def test_a_family_is_measured_again_before_it_fails() -> None:
    left = taken(1.0, 1.98, 7.0)
    ratio, verdict = gate.held(lambda: next(left), Ratio(2.0, 0.0))
    assert (ratio.value, verdict.failed) == (1.98, False)
    assert len(list(left)) == 1, "it ends with the first that is good enough"


def test_the_best_of_all_tries_is_told() -> None:
    left = taken(1.0, 1.5, 1.2)
    ratio, verdict = gate.held(lambda: next(left), Ratio(2.0, 0.0))
    assert (ratio.value, verdict.failed) == (1.5, True)
    assert "25%" in verdict.text


def test_a_ratio_is_that_of_the_least_times_and_its_noise_the_spread_of_parts() -> None:
    assert gate.ratio_of([1.0] * 8, [2.0] * 8) == Ratio(2.0, 0.0)
    parts = gate.ratio_of([1.0, 1.0, 1.0, 1.0] * 2, [2.0, 2.0, 2.0, 2.4] * 2)
    assert parts.value == 2.0
    assert parts.noise == pytest.approx(0.1)


def test_records_are_kept_by_kind_of_machine_and_version(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    assert gate.read(path) == {}
    one = gate.written({}, "small", "1.2", {"norm": Ratio(1.5, 0.02), "maps": Ratio(2.0, 0.0)})
    both = gate.written(one, "large", "1.2", {"norm": Ratio(3.0, 0.02)})
    both = gate.written(both, "small", "1.2", {"norm": Ratio(1.25, 0.02)})
    path.write_text(gate.text(both), encoding="utf-8")
    known = gate.read(path)
    assert known == both == json.loads(gate.text(known))
    assert gate.recorded(known, "small", "1.2", "norm") == Ratio(1.25, 0.02)
    assert gate.recorded(known, "small", "1.2", "maps") == Ratio(2.0, 0.0)
    assert gate.recorded(known, "large", "1.2", "norm") == Ratio(3.0, 0.02)
    assert gate.recorded(known, "small", "1.3", "norm") is None, "another peer is another measure"
    assert gate.recorded(known, "none", "1.2", "norm") is None
    assert "maps" not in gate.written(known, "small", "1.3", {"norm": Ratio(1.0, 0.0)})["small"]["families"]


def test_records_in_the_repository_name_families_that_there_are() -> None:
    for known in gate.read(gate.RECORDS).values():
        assert set(known["families"]) <= set(families.FAMILIES)
        assert all(ratio > 0 <= noise for ratio, noise in known["families"].values())


@pytest.mark.parametrize("name", [name for name in families.FAMILIES if not name.startswith("trees")])
def test_a_family_is_a_model_of_a_few_nodes(name: str) -> None:
    model, feeds = families.FAMILIES[name]()
    proto = onnx.load_from_string(model)
    onnx.checker.check_model(proto)
    assert len(proto.graph.node) <= 7
    assert set(feeds) == {value.name for value in proto.graph.input}


def test_runs_take_the_feeds_in_turn() -> None:
    model, _ = families.FAMILIES["one node"]()
    asked: list[float] = []

    class Engine:
        SessionOptions = sardonyx.SessionOptions

        class InferenceSession:
            def __init__(self, *given: object, **options: object) -> None:
                pass

            def run(self, _: None, feeds: dict[str, float]) -> None:
                asked.append(feeds["x"])

    run = gate.runner(Engine, model, [{"x": 1.0}, {"x": 2.0}])
    for _ in range(3):
        run()
    assert asked == [1.0, 2.0, 1.0]


def test_both_engines_take_turns() -> None:
    ratio = gate.measured(families.FAMILIES["one node"](), 0.01)
    assert ratio.value > 0
    assert ratio.noise >= 0

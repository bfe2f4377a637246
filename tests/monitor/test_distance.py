"""Measures of drift agree with scipy, with their definitions, and with what a person would call drift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from sardonyx.monitor.baseline import read_baseline
from sardonyx.monitor.chance import beyond_chance
from sardonyx.monitor.distance import (
    BY_AZURE,
    MEASURES,
    centroid,
    chi_square,
    domain_classifier,
    jensen_shannon,
    kolmogorov_smirnov,
    measure_named,
    population_stability,
    wasserstein,
)
from sardonyx.monitor.embedding import of_arrays, of_texts
from sardonyx.monitor.frame import CATEGORY, NUMBER, TEXT, VECTOR, Column, column_of, frame_of
from tests.runnable import examples

RNG = np.random.default_rng(5)


def numbers(values: object) -> Column:
    return column_of(np.asarray(values, np.float64))


def test_population_stability_by_hand() -> None:
    reference, current = column_of(["a"] * 50 + ["b"] * 50), column_of(["a"] * 80 + ["b"] * 20)
    expected = (0.8 - 0.5) * np.log(0.8 / 0.5) + (0.2 - 0.5) * np.log(0.2 / 0.5)
    assert population_stability(reference, current) == pytest.approx(expected)


def test_jensen_shannon_by_hand() -> None:
    disjoint = jensen_shannon(column_of(["a"] * 9), column_of(["b"] * 9))
    assert disjoint == pytest.approx(1)
    half = jensen_shannon(column_of(["a", "b"]), column_of(["a", "a"]))
    entropy = [-sum(s * np.log2(s) for s in share if s) for share in ((0.75, 0.25), (0.5, 0.5), (1.0, 0.0))]
    assert half == pytest.approx(np.sqrt(entropy[0] - (entropy[1] + entropy[2]) / 2))


def test_wasserstein_is_the_shift_in_deviations() -> None:
    sample = RNG.normal(3, 2, 5000)
    assert wasserstein(numbers(sample), numbers(sample + 4)) == pytest.approx(4 / sample.std())
    assert wasserstein(numbers([1, 1]), numbers([1, 1])) == 0
    assert wasserstein(numbers([1, 1]), numbers([2, 1])) == np.inf


def test_p_values_are_those_of_scipy() -> None:
    p, q = RNG.normal(0, 1, 400), RNG.normal(0.2, 1, 300)
    assert kolmogorov_smirnov(numbers(p), numbers(q)) == stats.ks_2samp(p, q, method="asymp").pvalue
    table = [[30, 20, 10], [15, 25, 10]]
    columns = [column_of(["a"] * r[0] + ["b"] * r[1] + ["c"] * r[2], CATEGORY) for r in table]
    assert chi_square(*columns) == pytest.approx(stats.chi2_contingency(table).pvalue)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_same_distribution_is_no_drift_and_another_is(measure: object) -> None:
    assert isinstance(measure, type(MEASURES[0]))
    for kind in measure.kinds:
        same, other = _drawn(kind, 0, 1500), _drawn(kind, 1, 1500)
        again = _drawn(kind, 0, 1500)
        assert not measure.breached(measure.compute(same, again), measure.threshold), kind
        assert measure.breached(measure.compute(same, other), measure.threshold), kind


def _drawn(kind: str, shift: int, count: int) -> Column:
    if kind == NUMBER:
        return numbers(RNG.normal(shift, 1, count))
    if kind == CATEGORY:
        return column_of(
            RNG.choice(list("abcd"), count, p=[[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]][shift])
        )
    if kind == VECTOR:
        pictures = RNG.uniform(0, 1, (count, 1, 8, 8)).astype(np.float32)
        pictures[:, :, :4] += shift
        return column_of(of_arrays(pictures))
    words = [["order", "parcel", "late", "refund"], ["bonjour", "merci", "commande", "colis"]][shift]
    return Column(TEXT, np.array([" ".join(RNG.choice(words, 6)) for _ in range(count)], object))


def test_few_rows_without_drift_are_no_drift() -> None:
    for measure in MEASURES:
        false = 0
        for _ in range(40):
            kind = measure.kinds[0]
            p, q = _drawn(kind, 0, 60), _drawn(kind, 0, 60)
            value = measure.compute(p, q)
            drifted = measure.breached(value, measure.threshold)
            false += drifted and (measure.p_value or beyond_chance(measure, p, q, value))
        assert false <= 5, measure.name


values = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=examples(20, 60), deadline=None)
@given(
    arrays(np.float64, st.integers(1, 40), elements=values),
    arrays(np.float64, st.integers(1, 40), elements=values),
)
def test_any_numbers_give_a_number_in_range(p: np.ndarray, q: np.ndarray) -> None:
    reference, current = numbers(p), numbers(q)
    if not len(reference.present()) or not len(current.present()):
        return
    assert population_stability(reference, current) >= 0
    assert 0 <= jensen_shannon(reference, current) <= 1 + 1e-9
    assert 0 <= kolmogorov_smirnov(reference, current) <= 1
    assert jensen_shannon(reference, reference) == pytest.approx(0, abs=1e-9)


def test_the_classifier_is_fair_between_equal_samples() -> None:
    vectors = [column_of(RNG.normal(0, 1, (800, 20))) for _ in range(2)]
    assert 0.42 < domain_classifier(*vectors) < 0.58
    assert centroid(*vectors) < 0.15


def test_measures_have_the_names_of_azure() -> None:
    assert measure_named("PopulationStabilityIndex") is measure_named("psi")
    assert len(BY_AZURE) == 5
    with pytest.raises(ValueError, match="jensen_shannon"):
        measure_named("distance")


def test_lists_are_spread_or_become_vectors() -> None:
    frame = frame_of(
        {
            "in.x": [[1.0, 2.0], None, [3.0, 4.0]],
            "in.big": np.zeros((3, 100)),
            "out.y": [[0.1, 0.9], [0.8, 0.2], [0.5, 0.1]],
            "in.t": ["a", None, "b"],
            "in.flag": [True, False, None],
        }
    )
    assert [frame[n].kind for n in ("in.x[0]", "in.big", "out.y.top", "in.t", "in.flag")] == [
        NUMBER,
        VECTOR,
        CATEGORY,
        CATEGORY,
        CATEGORY,
    ]
    assert np.isnan(frame["in.x[1]"].values[1])
    assert frame["out.y.top"].values.tolist() == ["1", "0", "0"]
    assert frame["in.flag"].values.tolist() == ["True", "False", None]


def test_embeddings_tell_brightness_and_language() -> None:
    dark, bright = of_arrays(np.zeros((2, 3, 16, 16))), of_arrays(np.ones((2, 3, 16, 16)))
    assert dark.shape == bright.shape == (2, 7 + 16)
    assert np.isfinite(of_arrays(np.full((1, 3, 5, 5), np.nan))).all()
    assert of_arrays(np.zeros((2, 0))).shape[0] == 2
    assert not np.allclose(of_texts(["guten morgen"]), of_texts(["buenos dias"]))
    assert of_texts(["", "a", "x" * 9000]).shape == (3, 70)


def test_baselines_are_read_from_every_format(tmp_path: Path) -> None:
    csv = tmp_path / "b.csv"
    csv.write_text("age,income,label\n30,1.5,yes\n40,2.5,no\n")
    frame = read_baseline(csv, ["x"], target="label")
    assert frame["in.x[0]"].values.tolist() == [30, 40] and "in.label" not in frame
    frame = read_baseline(csv, ["age", "income"], ["label"])
    assert sorted(frame) == ["in.age", "in.income", "out.label"]
    np.savez(tmp_path / "b.npz", x=np.zeros((5, 3)), label=np.arange(5), rate=0.5)
    frame = read_baseline(tmp_path / "b.npz", ["x"], ["label"])
    assert sorted(frame) == ["in.x[0]", "in.x[1]", "in.x[2]", "out.label"]
    bad = tmp_path / "b.txt"
    bad.write_text("")
    for path in (bad, tmp_path / "absent.csv"):
        with pytest.raises(ValueError, match=path.name):
            read_baseline(path)
    for torn in (b"", b"PK", b"PK\x03\x04"):
        (tmp_path / "torn.npz").write_bytes(torn)
        with pytest.raises(ValueError, match=r"torn\.npz"):
            read_baseline(tmp_path / "torn.npz")


def test_lists_of_several_lengths_are_compared_by_their_statistics() -> None:
    def sequences(length: int) -> list[list[int]]:
        return [RNG.integers(0, 99, RNG.integers(1, length)).tolist() for _ in range(200)]

    short, alike, long = (frame_of({"in.ids": sequences(length)})["in.ids"] for length in (20, 20, 200))
    assert (short.kind, short.values.shape[0]) == (VECTOR, 200)
    assert domain_classifier(short, alike) < 0.65 < 0.9 < domain_classifier(short, long)
    with_gaps = frame_of({"in.ids": [[1, 2], None, [], [3]]})["in.ids"]
    assert with_gaps.nulls().tolist() == [False, True, True, False]


def test_lists_of_texts_are_texts() -> None:
    words = [["the", "cat"], None, ["a dog that barks all night"] * 4]
    column = frame_of({"in.words": words}, {"in.words": TEXT})["in.words"]
    assert (column.kind, column.values.tolist()[0:2]) == (TEXT, ["the cat", None])

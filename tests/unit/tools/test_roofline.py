"""Kernels as a picture: bars by layer, dots below the roofline."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from sardonyx.ort.hotspots import Hotspot
from sardonyx.tools.peak import Peak
from sardonyx.tools.roofline import _Scale, draw

PEAK = Peak(2, 1e11, ((1 << 16, 1e11), (1 << 27, 1e10)))
SPACE = "{http://www.w3.org/2000/svg}"


def call(node: str, busy_ns: float, flops: int = 10**6, kind: str = "gemm") -> Hotspot:
    return Hotspot(
        (node,) if node else (), "k", f"{kind} plan of {node} <{busy_ns:.0f}>", busy_ns, 5.0, flops, 10**5
    )


def words(svg: str) -> list[str]:
    return [mark.text or "" for mark in ElementTree.fromstring(svg).iter(f"{SPACE}text")]


def test_bars_stand_in_layers_and_are_as_long_as_their_kernels_take() -> None:
    calls = [call("a.0/x", 1e5), call("a.1/x", 2e5), call("", 1e5), call("a.0/y", 4e5, 0, "loops")]
    drawn = draw(calls, PEAK, "m & n")
    told = words(drawn)
    assert told[0] == "m & n" and "in 4 kernels; peak of 2 threads" in told[1]
    assert [text for text in told if re.match(r"a\.\d: ", text)] == [
        "a.0: 500.0 us, 2 kernels", "a.1: 300.0 us, 2 kernels",
    ]  # fmt: skip
    bars = [r for r in ElementTree.fromstring(drawn).iter(f"{SPACE}rect") if r.get("class") != "paper"][2:]
    assert [float(r.attrib["width"]) for r in bars] == pytest.approx([60, 240, 120, 60], abs=0.1)
    assert [r.attrib["class"] for r in bars] == ["mark", "other", "mark", "mark"]
    assert "100.0 us, 12.5%, 10 GFLOP/s, 10% of peak" in told
    assert "400.0 us, 50.0%, 0 GB/s, 0% of peak" in told, "without operations only bytes are told"


@pytest.mark.parametrize(
    ("kernels", "rest"),
    [(25, "The 5 kernels not shown: 500.0 us"), (21, "The 1 kernel not shown: 100.0 us")],
)
def test_the_longest_are_shown_and_the_others_counted(kernels: int, rest: str) -> None:
    drawn = draw([call(f"n{n}", 1e5 + n) for n in range(kernels)], PEAK, "m")
    assert rest in words(drawn)
    assert len(list(ElementTree.fromstring(drawn).iter(f"{SPACE}circle"))) == kernels


@pytest.mark.parametrize("calls", [[], [call("a", 0.0)], [call("a", 10.0)], [call("a", 100.0, 0)]])
def test_models_without_anything_to_place_still_have_roofs(calls: list[Hotspot]) -> None:
    assert {"caches 100 GB/s", "memory 10 GB/s", "100 GFLOP/s"} <= set(words(draw(calls, PEAK, "m")))


def test_what_multiplies_faster_than_fp32_has_a_roof_of_its_own() -> None:
    peak = PEAK._replace(products=(("i8 by usdot v, sums in i32", 4e11), ("i16 by smlal v", 2e11)))
    calls = [
        call("a", 1e6),
        call("b", 1e3, 3 * 10**5)._replace(arithmetic="i8 by usdot v, sums in i32, any weights"),
    ]
    drawn = draw(calls, peak, "m")
    roofs = [
        line for line in ElementTree.fromstring(drawn).iter(f"{SPACE}line") if line.get("class") == "roof"
    ]
    flat = [float(line.attrib["y1"]) for line in roofs if line.get("y1") == line.get("y2")]
    dots = [float(dot.attrib["cy"]) for dot in ElementTree.fromstring(drawn).iter(f"{SPACE}circle")]
    assert {"100 GFLOP/s", "400 GFLOP/s i8 by usdot v"} <= set(words(drawn)) and len(flat) == 2
    assert min(flat) < min(dots) < max(flat), "300 GFLOP/s are above one roof and below the other"


def test_dots_lie_inside_the_plot_and_larger_ones_took_longer() -> None:
    calls = [call("a", 1e6), call("b", 1e3), call("c", 1e9, 10**3)]
    circles = list(ElementTree.fromstring(draw(calls, PEAK, "m")).iter(f"{SPACE}circle"))
    assert [float(c.attrib["r"]) for c in circles] == pytest.approx([18, 2.5, 2.5])
    assert all(90 <= float(c.attrib["cx"]) <= 952 and 0 <= float(c.attrib["cy"]) <= 420 for c in circles)


def test_a_scale_is_logarithmic() -> None:
    scale = _Scale([1.5, 100.0], 0.0, 100.0)
    assert scale(1.0) == 0.0 and scale(150.0) == pytest.approx(100.0)
    assert scale.decades() == [1.0, 10.0, 100.0]

"""The kernels of a model as a picture: a bar for each of the longest, and all below the machine's roofline.

The roofline is that of Williams, Waterman and Patterson (2009): speed by operations a byte, limited by
arithmetic and memory. Decides scales; must not know how kernels are timed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from sardonyx.base import svg
from sardonyx.base.explanation import count
from sardonyx.base.layers import layers_of
from sardonyx.ort.hotspots import Hotspot
from sardonyx.tools.console import time_text
from sardonyx.tools.hotspots import of_peak
from sardonyx.tools.peak import Peak

_WIDTH, _EDGE, _ROW = 1000, 24, 18
_NAMES, _BARS = 430, 240
_PLOT_LEFT, _PLOT_HEIGHT, _LARGEST_DOT = 90, 420, 18
_MOST = 20


def draw(calls: Sequence[Hotspot], peak: Peak, title: str) -> str:
    """The text of an SVG file; calls in the order of the model, of which the longest are shown as bars."""
    ranked = sorted(calls, key=lambda call: -call.busy_ns)
    ranks = {id(call): number for number, call in enumerate(ranked[:_MOST], 1)}
    total = sum(call.busy_ns + call.wait_ns for call in calls) or 1.0
    of_fp32 = peak._replace(products=())
    marks = [
        svg.text(_EDGE, 34, title, kind="title"),
        svg.text(
            _EDGE, 54, f"{time_text(total / 1e9)} in {len(calls)} kernels; {of_fp32.text()}", kind="soft"
        ),
        *_legend(78),
    ]
    top = 84.0
    for mark, height in _bars(calls, ranks, peak, total):
        marks.append(f'<g transform="translate(0 {top:.0f})">{mark}</g>')
        top += height
    top += 80
    marks.append(f'<g transform="translate(0 {top:.0f})">{"".join(_plot(ranked, peak))}</g>')
    return svg.document(_WIDTH, top + _PLOT_HEIGHT + 60, title, marks)


def _legend(y: float) -> Iterator[str]:
    x = float(_EDGE)
    for kind, name in (("mark", "products, convolutions, recurrent layers"), ("other", "all others")):
        yield svg.bar(x, y - 9, 10, 10, kind)
        yield svg.text(x + 16, y, name)
        x += 280


def _bars(
    calls: Sequence[Hotspot], ranks: dict[int, int], peak: Peak, total: float
) -> Iterator[tuple[str, float]]:
    """Rows and their heights: the layers in the order of the model, with the calls that have a rank."""
    longest = max((call.busy_ns for call in calls), default=1.0) or 1.0
    for layer, members in _by_layer(calls).items():
        rows = [call for call in members if id(call) in ranks]
        if not rows:
            continue
        time = time_text(sum(call.busy_ns for call in members) / 1e9)
        head = f"{_short(layer or 'model', 60)}: {time}, {count(len(members), 'kernel')}"
        yield svg.text(_EDGE, 24, head, kind="head"), _ROW + 12
        for call in rows:
            long = call.busy_ns / longest * _BARS
            figures = f"{time_text(call.busy_ns / 1e9)}, {call.busy_ns / total:.1%}{_speed(call, peak)}"
            yield (
                svg.text(_EDGE + 20, 13, str(ranks[id(call)]), "end", "soft")
                + svg.text(_EDGE + 28, 13, _short(call.plan, 56))
                + svg.bar(_EDGE + _NAMES, 3, max(1.0, long), _ROW - 5, _kind(call))
                + svg.text(_EDGE + _NAMES + long + 8, 13, figures, kind="soft"),
                _ROW,
            )
    rest = [call for call in calls if id(call) not in ranks]
    if rest:
        time = time_text(sum(call.busy_ns for call in rest) / 1e9)
        yield (
            svg.text(_EDGE, 24, f"The {count(len(rest), 'kernel')} not shown: {time}", kind="head"),
            _ROW + 12,
        )


def _by_layer(calls: Sequence[Hotspot]) -> dict[str, list[Hotspot]]:
    """A call without nodes belongs to the layer before it."""
    found, layer = dict[str, list[Hotspot]](), ""
    layers = layers_of(node for call in calls for node in call.nodes[:1])
    for call in calls:
        layer = layers[call.nodes[0]] if call.nodes else layer
        found.setdefault(layer, []).append(call)
    return found


def _plot(ranked: Sequence[Hotspot], peak: Peak) -> Iterator[str]:
    known = [call for call in ranked if call.gflops and call.traffic_bytes]
    tops = _tops(known, peak)
    far, low, high = peak.rates[-1][1], min(tops.values()) / 1e9, max(tops.values()) / 1e9
    x = _Scale([0.1, 2e9 * high / far, *map(_intensity, known)], _PLOT_LEFT, _WIDTH - 2 * _EDGE)
    y = _Scale([low / 10, high, *(call.gflops for call in known)], _PLOT_HEIGHT, 0)
    yield svg.text(_EDGE, -40, "Roofline: the larger a dot, the longer its kernel takes", kind="head")
    yield svg.text(_PLOT_LEFT - 8, -12, "GFLOP/s", "end", "soft")
    yield svg.text((x.start + x.end) / 2, _PLOT_HEIGHT + 40, "operations a byte", "middle", "soft")
    for value in x.decades():
        yield svg.line(x(value), 0, x(value), _PLOT_HEIGHT)
        yield svg.text(x(value), _PLOT_HEIGHT + 18, f"{value:g}", "middle", "soft")
    for value in y.decades():
        yield svg.line(x.start, y(value), x.end, y(value))
        yield svg.text(x.start - 8, y(value) + 4, f"{value:g}", "end", "soft")
    yield from _roofs(x, y, peak, tops)
    for call in known:
        radius = max(2.5, _LARGEST_DOT * math.sqrt(call.busy_ns / known[0].busy_ns))
        hint = f"{call.plan}: {call.gflops:.1f} GFLOP/s"
        yield svg.dot(x(_intensity(call)), y(call.gflops), radius, _kind(call), hint)
    taken: list[tuple[float, float]] = []
    for number, call in enumerate(ranked[:_MOST], 1):
        if call in known:
            across, up = x(_intensity(call)), y(call.gflops)
            if all(abs(across - a) > _ROW or abs(up - b) > _ROW for a, b in taken):
                taken.append((across, up))
                yield svg.text(across, up + 4, str(number), "middle")


def _tops(calls: Sequence[Hotspot], peak: Peak) -> dict[str, float]:
    """Operations a second of fp32, and of what else some call multiplies by."""
    used = {call.arithmetic for call in calls}
    others = (row for row in peak.products if any(name.startswith(row[0]) for name in used))
    return {"": peak.flops, **{name.partition(",")[0]: rate for name, rate in others}}


def _roofs(x: _Scale, y: _Scale, peak: Peak, tops: Mapping[str, float]) -> Iterator[str]:
    """Lines that no kernel should be above: bytes from the nearest cache or from memory, and arithmetic."""
    most = max(tops.values())
    near = max(rate for _, rate in peak.rates)
    for rate, name in ((near, "caches"), (peak.rates[-1][1], "memory")):
        first = max(x.low, y.low * 1e9 / rate)
        left, low, right, high = x(first), y(first * rate / 1e9), x(most / rate), y(most / 1e9)
        yield svg.line(left, low, right, high, "roof")
        slope = math.degrees(math.atan2(high - low, right - left))
        told = svg.text(12, -6, f"{name} {rate / 1e9:.0f} GB/s", kind="soft")
        yield f'<g transform="translate({left:.1f} {low:.1f}) rotate({slope:.1f})">{told}</g>'
    for name, top in tops.items():
        yield svg.line(x(top / near), y(top / 1e9), x.end, y(top / 1e9), "roof")
        yield svg.text(
            x(top / near) + 12, y(top / 1e9) - 6, f"{top / 1e9:.0f} GFLOP/s {name}".rstrip(), kind="soft"
        )


class _Scale:
    """Places of positive values between two ends, by their logarithms."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low, self.high = min(values) / 1.5, max(values) * 1.5
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)

    def decades(self) -> list[float]:
        """The powers of ten inside."""
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]


def _intensity(call: Hotspot) -> float:
    return call.flops / call.traffic_bytes


def _speed(call: Hotspot, peak: Peak) -> str:
    if call.gflops:
        return f", {call.gflops:.0f} GFLOP/s, {of_peak(call, peak):.0%} of peak"
    if call.gigabytes:
        return f", {call.gigabytes:.0f} GB/s, {of_peak(call, peak):.0%} of peak"
    return ""


def _kind(call: Hotspot) -> str:
    return "other" if call.plan.split()[0] in ("loops", "host") or not call.flops else "mark"


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"

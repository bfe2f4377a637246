"""Marks of drawings as SVG text: words, bars, lines, dots, and a file that holds them.

Decides places as text. Must not know what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_LIGHT = "--ink: #1b1b1b; --soft: #666; --line: #d8d8d8; --mark: #2f6fab; --other: #b5532a; --paper: #fff"
_DARK = "--ink: #e8e8e8; --soft: #a5a5a5; --line: #444; --mark: #7fb4e6; --other: #e39a72; --paper: #16181a"


def colours(of: str) -> str:
    """The CSS that names colours to an element and all in it, light or dark as its reader likes."""
    return (
        f"{of} {{ color-scheme: light dark; {_LIGHT} }}\n"
        f"@media (prefers-color-scheme: dark) {{ {of} {{ {_DARK} }} }}"
    )


STYLE = f"\n{colours('svg')}\n"
STYLE += """svg { font: 12px system-ui, sans-serif }
text { fill: var(--ink) } text.soft { fill: var(--soft) } text.head { font-weight: 600 }
text.title { font-size: 16px; font-weight: 600 }
.paper { fill: var(--paper) } .mark { fill: var(--mark) } .other { fill: var(--other) }
line, path { stroke: var(--line); fill: none } line.roof, path.roof { stroke: var(--ink); stroke-width: 1.5 }
circle { fill-opacity: .6; stroke: var(--paper) }
"""


def text(x: float, y: float, content: str, side: str = "start", kind: str = "") -> str:
    """Words on a line at `y`; `side` of them at `x` is "start", "middle" or "end"."""
    return f'<text{_kind(kind)} x="{x:.1f}" y="{y:.1f}" text-anchor="{side}">{escape(content)}</text>'


def bar(x: float, y: float, width: float, height: float, kind: str = "") -> str:
    """A rectangle from its upper left corner on."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f"<rect{_kind(kind)} {place}/>"


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "") -> str:
    """A straight line."""
    return f'<line{_kind(kind)} x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def course(points: Iterable[tuple[float, float]], kind: str = "") -> str:
    """Straight lines from point to point."""
    places = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path{_kind(kind)} d="M{places}"/>'


def dot(x: float, y: float, radius: float, kind: str = "", hint: str = "") -> str:
    """A circle with a tooltip."""
    told = f"<title>{escape(hint)}</title>" if hint else ""
    return f'<circle{_kind(kind)} cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">{told}</circle>'


def document(width: float, height: float, title: str, marks: Iterable[str]) -> str:
    """A file of its own, light or dark as its reader likes."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">'
    )
    paper = '<rect class="paper" width="100%" height="100%"/>'
    body = "\n".join(marks)
    return f"{head}<title>{escape(title)}</title><style>{STYLE}</style>{paper}\n{body}\n</svg>\n"


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""

"""Whether versions take the same requests, so that one may answer in the other's place.

Must not know what traffic is.
"""

from __future__ import annotations

from sardonyx.protocol.records import Signature, TensorSpec


def misfit(first: Signature, second: Signature) -> str:
    """Why no request suits both, as a clause about the second; empty if one may, or if it is not known."""
    if not first.inputs or not second.inputs:
        return ""
    here, there = ({spec.name: spec for spec in signature.inputs} for signature in (first, second))
    if here.keys() != there.keys():
        return f"takes {', '.join(sorted(there))} in place of {', '.join(sorted(here))}"
    for name, spec in here.items():
        other = there[name]
        if spec.type != other.type or not _overlap(spec.shape, other.shape):
            return f"takes {_told(other)} in place of {_told(spec)}"
    return ""


def _overlap(first: list[int | str | None] | None, second: list[int | str | None] | None) -> bool:
    if first is None or second is None:
        return True
    fixed = ((a, b) for a, b in zip(first, second, strict=False) if isinstance(a, int) and isinstance(b, int))
    return len(first) == len(second) and all(a == b for a, b in fixed)


def _told(spec: TensorSpec) -> str:
    sizes = "" if spec.shape is None else f" [{', '.join('?' if s is None else str(s) for s in spec.shape)}]"
    return f"{spec.name} {spec.type}{sizes}"

"""How what the stages of the compiler make is printed, checked and measured, if somebody looks.

Must not know what order the stages come in.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.trace import View
from sardonyx.fuse import text as fusion_text
from sardonyx.ir import text as graph_text
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Fusion
from sardonyx.ir.verify import verify
from sardonyx.kernels.call import NativeCall
from sardonyx.loops import text as kernel_text
from sardonyx.loops.verify import verify as verify_kernel
from sardonyx.runtime import listing
from sardonyx.runtime.data import ProgramData


def views() -> Mapping[type, View]:
    """A view of everything that is handed from stage to stage."""
    return {
        Graph: View(graph_text.text, verify, lambda graph: len(graph.order())),
        NativeCall: View(call_text, verify_call, lambda call: 1),
        Fusion: View(fusion_text.text, None, lambda fusion: len(fusion.groups)),
        ProgramData: View(listing.text, None, lambda data: sum(len(s.functions) for s in data.segments)),
    }


def call_text(call: NativeCall) -> str:
    """The loops of a kernel, or the plan of one that is not made of loops."""
    if call.kernel is not None:
        return f"{call.symbol}: {kernel_text.text(call.kernel)}"
    return f"{call.symbol}: {call.kind} {call.plan}  # {', '.join(call.origins)}"


def verify_call(call: NativeCall) -> None:
    """Raise CompileError if the kernel of a call breaks an invariant."""
    if call.kernel is not None:
        verify_kernel(call.kernel)

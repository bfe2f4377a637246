"""One small model through every stage of the compiler, printed. Run it: python docs/tour.py

The model is a linear layer with a leaky ReLU and a softmax, for any number of rows N.
"""

from __future__ import annotations

import numpy as np
import onnx

import sardonyx
from sardonyx import passes
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.policy import Goal
from sardonyx.frontend import load
from sardonyx.fuse.partition import partition
from sardonyx.ir.run import run
from sardonyx.ir.text import text
from sardonyx.kernels.families import NATIVE, native_calls
from sardonyx.kernels.loops import Emissions
from sardonyx.loops.lower import lower
from sardonyx.loops.schedule import schedule
from sardonyx.loops.text import text as loops_text
from sardonyx.object import engine
from sardonyx.targets import detect

MODEL = """
<ir_version: 10, opset_import: ["" : 21]>
tour (float[N, 64] x, float[64, 10] w) => (float[N, 10] y) {
    h = MatMul(x, w)
    r = LeakyRelu<alpha = 0.1>(h)
    y = Softmax<axis = -1>(r)
}
"""
TALLEST = 40


def show(title: str, body: str) -> None:
    """Print a stage, cut to a page."""
    lines = body.strip().splitlines()
    rest = [f"... {len(lines) - TALLEST} more lines"] if len(lines) > TALLEST else []
    print("\n".join([f"== {title}", "", *lines[:TALLEST], *rest, ""]))


def main() -> None:
    """The stages in order."""
    model = onnx.parser.parse_model(MODEL).SerializeToString()
    random = np.random.default_rng(0)
    x, w = random.normal(size=(5, 64)).astype("f"), random.normal(size=(64, 10)).astype("f")

    # 1. The frontend turns every operator into its formula; ONNX ends here.
    graph = load(model, CompileOptions()).graph
    show("Graph, as loaded", text(graph))

    # 2. A graph can be run in numpy as it stands, so every later stage has something to be compared with.
    (meant,) = run(graph, [x, w])

    # 3. Passes are functions from graph to graph; the goal is the machine and the precision.
    goal = Goal(detect())
    for run_pass in passes.PIPELINE:
        graph = run_pass(graph, goal)
    show("Graph, after the passes", text(graph))

    # 4. Values that become one kernel form a group; each boundary between groups has a reason.
    fusion = partition(graph, NATIVE)
    show("Groups", "\n".join(str(group.root) for group in fusion.groups))
    show("Decisions", "\n".join(f"{d.subject}: {d.verdict}, {d.reason}" for d in fusion.decisions))

    # 5. A group without a product or convolution becomes loop nests; they can be run in numpy too.
    target = goal.target
    emissions = Emissions(target)
    for group in fusion.groups:
        if group.kind == "loops":
            nests = lower(group, fusion.places)
            show("Loops", "\n".join(loops_text(schedule(nest, target)) for nest in nests))

    # 6. Kernels are text of LLVM's language, already vectorised; LLVM selects instructions and registers.
    # Products and convolutions share theirs among all models.
    for group in fusion.groups:
        if group.kind == "host":
            continue
        for call, library in native_calls(group, fusion.places, goal, emissions):
            if call.symbol not in library:
                show("Kernel shared by all models", f"{call.symbol}  {call.plan}")
                continue
            ir = library[call.symbol]()
            code = engine.assembly(ir, target).split(f"{call.symbol}:", 1)[1]
            show(f"LLVM IR of {call.plan}", ir)
            show(f"{target.name} code of {call.plan}", code)

    # 7. A session does all of this, keeps the code in the cache, and runs it in one native call for any N.
    session = sardonyx.InferenceSession(model)
    for rows in (5, 1):
        (y,) = session.run(None, {"x": x[:rows], "w": w})
        np.testing.assert_allclose(y, meant[:rows], rtol=1e-5)
    show("Report", session.explain())


if __name__ == "__main__":
    main()

"""Every module has a test of its own: beside it, by its name, asking just it.

The test of `sardonyx/loops/cost.py` is `tests/unit/loops/test_cost.py`; that of
`sardonyx/registry/router.py` is `tests/registry/test_router.py`, since folders of tests with servers and
browsers stand outside `unit`. Where several modules are one subject, their test has the subject's name and
is a row of `TOGETHER`. A module without functions has nothing to test; one that registers operators is
judged by their recipes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.ops import register_all
from sardonyx.ops.table import operators
from tests.arch.parsed import parsed
from tests.arch.reached import ROOT, asked_by, files_of_tests, modules
from tests.property.operators.elsewhere import ELSEWHERE

RECURRENT = "kernels.recurrent.layer kernels.recurrent.step kernels.recurrent.sums"
TRANSFORMS = "kernels.winograd.input_transform kernels.winograd.output_transform"
WINOGRAD = f"kernels.winograd.driver kernels.winograd.walk {TRANSFORMS}"
SHALLOW = " ".join(f"kernels.shallow.{name}" for name in ("driver", "rows", "walk"))
STRASSEN = " ".join(f"kernels.strassen.{name}" for name in ("combine", "driver", "rows", "walk"))
LEVELS = " ".join(f"kernels.product.levels.{name}" for name in ("floats", "sums", "walk"))
MOVES = " ".join(f"kernels.moves.{name}" for name in ("driver", "rows", "weave"))
ASSEMBLED = "compiler.control compiler.jumps compiler.records compiler.storages compiler.views"
COLLECTION, STATE = "capi.onnxruntime_inference_collection", "capi.onnxruntime_pybind11_state"
CAPI = f"capi._pybind_state {COLLECTION} {STATE} capi.onnxruntime_validation"
# A file of tests, and the modules of its folder that it asks together.
TOGETHER = {
    "tests.unit.kernels.product.test_contract": "kernels.product.driver kernels.product.pack",
    "tests.unit.kernels.product.test_blockwise": LEVELS,
    "tests.unit.kernels.convolution.test_conv": "kernels.convolution.driver kernels.convolution.pack",
    "tests.unit.kernels.moves.test_moves": MOVES,
    "tests.unit.kernels.recurrent.test_recurrent": RECURRENT,
    "tests.unit.kernels.shallow.test_shallow": SHALLOW,
    "tests.unit.kernels.short.test_short": "kernels.short.driver kernels.short.walk",
    "tests.unit.kernels.strassen.test_strassen": STRASSEN,
    "tests.unit.kernels.winograd.test_winograd": WINOGRAD,
    "tests.unit.compiler.test_assemble": ASSEMBLED,
    "tests.unit.capi.test_capi": CAPI,
    "tests.unit.fuse.test_partition": "fuse.text",
    "tests.unit.gateway.console.test_desk": "gateway.console.parts",
    "tests.unit.ir.test_conditions": "ir.unproven ir.obligation",
    "tests.unit.loops.test_run": "loops.lower loops.schedule loops.text loops.verify",
    "tests.unit.base.test_policy": "base.tile",
    "tests.unit.object.test_image": "object.link",
    "tests.unit.object.test_engine": "object.executor",
    "tests.unit.passes.test_precision": "passes.integer_products passes.widen",
    "tests.unit.store.test_programs": "store.identity store.loader",
    "tests.unit.targets.test_detect": "targets.x86_64.cpuid targets.x86_64.isa",
    "tests.console.test_registered": "gateway.console.registered gateway.console.view",
    "tests.console.test_studio": "gateway.console.pages.studio",
    "tests.monitor.test_distance": "monitor.baseline monitor.embedding monitor.frame",
    "tests.monitor.test_metrics": "monitor.dashboard monitor.live monitor.table",
    "tests.monitor.test_payload": "monitor.capture monitor.query monitor.redact monitor.store",
    "tests.monitor.test_traces_logs": "monitor.logs monitor.monitoring monitor.traces",
    "tests.monitor.test_watch": "monitor.book monitor.notify",
    "tests.registry.test_canary": "registry.observed",
    "tests.registry.test_catalog": "registry.artefacts registry.audit",
    "tests.registry.test_endpoints": "database.migrations.versions.registry_0003",
    "tests.registry.test_quotas": "database.migrations.versions.registry_0002",
    "tests.registry.test_registration": "registry.checks registry.fetching",
    "tests.registry.test_state": "registry.endpoints registry.keys registry.snapshot",
    "tests.serve.test_lane": "serve.http.express serve.rpc.express",
    "tests.serve.test_scheduler": "serve.policy",
    "tests.train.test_train": "train.report train.table",
    "tests.vision.studio.test_trainings": "vision.studio.trying",
    "tests.vision.test_heads": "vision.several",
    "tests.vision.boxes.test_training": "vision.boxes.report",
    "tests.vision.test_training": "vision.report",
    "tests.zoo.test_pull": "zoo.download zoo.references",
    "tests.zoo.test_tasks": "zoo.tasks.images zoo.tasks.ocr zoo.tasks.sounds",
}
WITHOUT = Path(__file__).parent / "untested.txt"


def generated(module: str) -> bool:
    return module.endswith("_pb2")


def of_recipes() -> set[str]:
    """The modules whose operators are drawn, every one."""
    register_all()
    found: dict[str, bool] = {}
    for operator in operators():
        label = f"{operator.domain}.{operator.name}" if operator.domain else operator.name
        module = operator.build.__module__
        found[module] = found.get(module, True) and label not in ELSEWHERE
    return {module for module, drawn in found.items() if drawn}


def homes(module: str) -> list[str]:
    """The files that may hold the tests of a module, as dotted names."""
    path = modules()[module]
    folder = list(path.parent.relative_to(ROOT / "src" / "sardonyx").parts)
    stem = (
        folder[-1]
        if path.stem == "__init__" and folder
        else "package"
        if path.stem == "__init__"
        else path.stem
    )
    together = [file for file, names in TOGETHER.items() if module.partition(".")[2] in names.split()]
    name = ".".join([*folder, f"test_{stem.strip('_')}"])
    return [f"tests.unit.{name}", f"tests.{name}", *together]


def untested() -> list[str]:
    drawn = of_recipes()
    return [
        module
        for module, path in modules().items()
        if not (generated(module) or module in drawn or not parsed(path).decides)
        and not any(home in files_of_tests() and module in asked_by(home) for home in homes(module))
    ]


def test_every_module_has_a_test_of_its_own() -> None:
    known = WITHOUT.read_text(encoding="utf-8").split()
    assert known == sorted(known)
    now = untested()
    assert not sorted(set(now) - set(known)), f"write {[homes(m)[0] for m in sorted(set(now) - set(known))]}"
    assert not sorted(set(known) - set(now)), (
        "these have a test by now: take them out of tests/arch/untested.txt"
    )


@pytest.mark.parametrize("file", TOGETHER)
def test_a_row_asks_all_that_it_names(file: str) -> None:
    assert {f"sardonyx.{name}" for name in TOGETHER[file].split()} <= asked_by(file)

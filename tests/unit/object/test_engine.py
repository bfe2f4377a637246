"""IR text to object code."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from sardonyx import targets
from sardonyx.errors import CompileError
from sardonyx.object import engine, executor
from sardonyx.targets.x86_64 import isa

SCALE = """
define void @{name}(ptr %args, ptr %ctx) nounwind {{
  %x = load <{lanes} x float>, ptr %args, align 4
  %y = fmul <{lanes} x float> %x, splat (float 3.0)
  store <{lanes} x float> %y, ptr %args, align 4
  ret void
}}
"""


@pytest.mark.parametrize(("target", "register"), [(isa.V3, "%ymm0"), (isa.V4, "%zmm0")], ids=["v3", "v4"])
def test_vectors_keep_the_width_of_the_target(target: targets.Target, register: str) -> None:
    text = engine.assembly(SCALE.format(name="scale", lanes=target.lanes), target)
    assert "vmulps" in text
    assert register in text


def test_objects_do_not_depend_on_when_they_were_compiled() -> None:
    ir = SCALE.format(name="scale", lanes=8)
    assert engine.compile_object(ir, isa.V3) == engine.compile_object(ir, isa.V3)
    assert engine.compile_object(ir, isa.V3) != engine.compile_object(ir, isa.V4)


def test_an_error_names_function_and_line() -> None:
    ir = "define void @good() {\n  ret void\n}\ndefine void @bad() {\n  %x = add i32 1, %q\n  ret void\n}\n"
    with pytest.raises(CompileError, match=r"in @bad, line 5: .*%q.*: %x = add i32 1, %q"):
        engine.compile_object(ir, isa.V3)


def test_an_unverified_module_is_refused() -> None:
    ir = "define void @f(i1 %c) {\nentry:\n  br label %entry\n}\n"
    with pytest.raises(CompileError, match="invalid"):
        engine.compile_object(ir, isa.V3)


def test_threads_compile_side_by_side() -> None:
    irs = [SCALE.format(name=f"scale{i}", lanes=8) for i in range(8)]
    alone = [engine.compile_object(ir, isa.V3) for ir in irs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda ir: engine.compile_object(ir, isa.V3), irs * 8)) == alone * 8


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
def test_the_executor_compiles_for_every_target(target: targets.Target) -> None:
    text = engine.assembly(executor.ir(target), target)
    assert "pause" in text
    assert "mfence" not in text


def test_the_version_is_known_without_loading_llvm() -> None:
    code = f"""
import sys
sys.path[:] = {sys.path}
from sardonyx.object import engine
assert engine.llvm_version().startswith("llvmlite-0.")
assert not engine._library.cache_info().currsize
"""
    subprocess.run([sys.executable, "-c", code], check=True)


BEGIN = """
import time
from sardonyx.object import engine
def mapped():
    return "libllvmlite" in open("/proc/self/maps").read()
assert not mapped()
engine.begin()
end = time.monotonic() + 60
while not mapped() and time.monotonic() < end:
    time.sleep(0.01)
print(mapped())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system must tell what is mapped")
def test_another_thread_maps_llvm() -> None:
    assert subprocess.check_output([sys.executable, "-c", BEGIN], text=True).split() == ["True"]

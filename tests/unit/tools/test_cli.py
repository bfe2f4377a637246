"""The command line: what it prints, what it saves, how it refuses."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from sardonyx import __version__
from sardonyx.base.knobs import KNOBS
from sardonyx.tools.cli import _EXTRAS, COMMANDS, _writes_all_names, main, parser
from tests.disk import full_disk
from tests.unit.stocked import stocked

TEXT = """
<ir_version: 8, opset_import: ["" : 17], producer_name: "maker">
pixels (float[N, 3, H, W] image, float[N] gain) => (float[N, 3, H, W] y) <float[3, 1, 1] w = {1, 2, 3}> {
    h = Mul(image, w)
    y = Relu(h)
    unused = Identity(gain)
}
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    file = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(TEXT), file)
    return str(file)


@pytest.fixture
def core() -> None:
    pytest.importorskip("sardonyx.compiler.compile")


def printed_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("encoding", "errors", "all_names"),
    [("ascii", "surrogateescape", False), ("utf-8", "strict", False), ("utf-8", "surrogateescape", True)],
)
def test_names_that_a_terminal_cannot_write_are_known(encoding: str, errors: str, all_names: bool) -> None:
    assert _writes_all_names(io.TextIOWrapper(io.BytesIO(), encoding, errors)) is all_names


@pytest.mark.usefixtures("core")
def test_run_saves_outputs(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    out = tmp_path / "deep" / "out"
    assert (
        main(
            ["run", model, "--input", f"image={tmp_path / 'image.npy'}", "--dim", "N=2", "--output", str(out)]
        )
        == 0
    )
    text = capsys.readouterr().out
    assert "gain is random; give it with --input gain=FILE" in text
    assert "image is random" not in text
    assert "float32  [2, 3, 4, 5]" in text
    expected = np.maximum(image * np.array([1, 2, 3], np.float32).reshape(3, 1, 1), 0)
    np.testing.assert_array_equal(np.load(out / "y.npy"), expected)


@pytest.mark.usefixtures("core")
def test_run_reads_pictures(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((4, 8, 3), 255, np.uint8)).save(tmp_path / "white.png")
    arguments = [
        "run",
        model,
        "--input",
        f"image={tmp_path / 'white.png'}",
        "--input",
        "gain=random",
        "--json",
    ]
    assert main([*arguments, "--dim", "H=2", "--repeat", "3"]) == 0
    data = printed_json(capsys)
    assert data["inputs"]["image"]["shape"] == [1, 3, 2, 4]
    assert data["inputs"]["image"]["min"] == 1.0
    assert (data["outputs"]["y"]["shape"], data["outputs"]["y"]["max"]) == ([1, 3, 2, 4], 3.0)
    assert data["random_inputs"] == []
    assert data["run_ms"] > 0


def test_inspect_reads_the_file_alone(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", model, "--no-compile"]) == 0
    text = capsys.readouterr().out
    for part in (
        "maker",
        "ai.onnx 17 (IR 8)",
        "image  tensor(float)  [N, 3, H, W]",
        "operators (3)",
        "parameters (3)",
    ):
        assert part in text
    assert main(["inspect", model, "--no-compile", "--json"]) == 0
    data = printed_json(capsys)
    assert data["operators"] == {"Mul": 1, "Relu": 1, "Identity": 1}
    assert data["parameter_bytes"] == {"float": 12}
    assert data["memory"] is None


@pytest.mark.usefixtures("core")
def test_inspect_shows_memory(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", model]) == 0
    assert "operators that do not run native" in capsys.readouterr().out


@pytest.mark.usefixtures("core")
def test_explain(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", model]) == 0
    assert "kernel" in capsys.readouterr().out.splitlines()[0]
    assert main(["explain", model, "--brief", "--json"]) == 0
    assert {"kernels", "decisions", "fallbacks", "timings", "counters"} <= set(printed_json(capsys))


@pytest.mark.usefixtures("core")
def test_compile(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "cache"))
    assert main(["compile", model, model, "--json"]) == 0
    data = printed_json(capsys)
    assert data["cache"] == str(tmp_path / "cache")
    assert [row["model"] for row in data["models"]] == [model, model]
    monkeypatch.setenv("SARDONYX_CACHE", "off")
    assert main(["compile", model]) == 1
    assert "the cache is off" in capsys.readouterr().err


@pytest.mark.usefixtures("core")
def test_bench_beside_itself(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(Path(sys.modules["sardonyx"].__path__[0]).parent)
    monkeypatch.setenv("PYTHONPATH", source)
    assert main(["bench", model, "--threads", "1", "--seconds", "0.05", "--peer", "sardonyx", "--json"]) == 0
    (row,) = printed_json(capsys)
    assert row["threads"] == 1
    assert row["apart"] == 0.0
    assert len(row["timings"]) == 2


def test_knobs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["knobs", "--json"]) == 0
    assert [row["variable"] for row in printed_json(capsys)] == [knob.env for knob in KNOBS]
    assert main(["knobs"]) == 0
    assert "SARDONYX_PRECISION" in capsys.readouterr().out


READERS = (
    *("run MODEL", "inspect MODEL", "explain MODEL", "bench MODEL", "compile MODEL", "diff MODEL MODEL"),
    *("quantize MODEL", "convert-precision MODEL", "convert MODEL -o out.onnx", "register m MODEL"),
)
"""Commands that read a model."""


@pytest.mark.parametrize("words", READERS)
def test_every_command_says_what_a_file_is_that_is_no_model(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    assert main([str(path) if word == "MODEL" else word for word in words.split()]) == 1
    error = capsys.readouterr().err
    assert "this is a pointer of Git LFS" in error or "is a pointer of Git LFS" in error
    assert error.count("is not an ONNX model") <= 1


@pytest.mark.parametrize("words", READERS)
def test_every_command_names_a_file_of_weights_that_is_not_there(
    words: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, whole = tmp_path / "apart.onnx", onnx.load(model)
    weight = whole.graph.initializer[0]
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight), weight.name))
    onnx.save(whole, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert main([str(path) if word == "MODEL" else word for word in words.split()]) == 1
    assert re.search(r"(no external data|needs the) file \S*weights.bin", capsys.readouterr().err)


@pytest.mark.parametrize("words", ["run MODEL", "bench MODEL", "quantize MODEL", "diff MODEL MODEL"])
def test_inputs_beyond_memory_are_refused_in_words(
    words: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [model if word == "MODEL" else word for word in words.split()]
    assert main([*arguments, "--dim", f"N={10**13}"]) == 1
    assert "0.00 GB, more than there is memory for; give smaller sizes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "/no/such.onnx"], "there is no file or folder /no/such.onnx\n"),
        (["inspect", "--no-compile", __file__], f"{__file__} is not an ONNX model"),
        (["bench", "MODEL", "--seconds", "0"], "positive"),
    ],
)
def test_user_errors_are_one_line(
    arguments: list[str], message: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([model if word == "MODEL" else word for word in arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.startswith(f"sardonyx {arguments[0]}: ")
    assert "Traceback" not in captured.err


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MODEL", "--input", "image"], "--input image: expected NAME=VALUE"),
        (["MODEL", "--input", "q=random"], "--input q: the model has no such input; it has image, gain"),
        (["MODEL", "--input", "image=/no/such.npy"], "there is no such file"),
        (["MODEL", "--dim", "N=two"], "the size must be a whole number from 0 on"),
        (["MODEL", "--dim", "N=-1"], "the size must be a whole number from 0 on"),
        (["MODEL", "--dim", "M=2"], "--dim M: the model has no such free dimension; it has N, H, W"),
        (["MODEL", "--repeat", "0"], "--repeat 0: give a positive number"),
        (["MODEL", "--threads", "-1"], "--threads -1: give 0 (all cores) or a positive number"),
        (["/no/such.onnx"], "there is no file /no/such.onnx"),
    ],
)
def test_wrong_runs(
    arguments: list[str], message: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *(model if word == "MODEL" else word for word in arguments)]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "there is no 'rnu'; did you mean run?"),
        (["xyzzy"], "invalid choice: 'xyzzy'"),
        (["run", "net.onnx", "--seed", "-1"], "-1 is not a seed: give 0 to 4294967295"),
    ],
)
def test_wrong_words(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("core")
def test_wrong_feeds_are_explained_without_the_prefix(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "double.npy", np.ones((1, 3, 2, 2)))
    assert main(["run", model, "--input", f"image={tmp_path / 'double.npy'}"]) == 1
    assert capsys.readouterr().err.startswith("sardonyx run: Unexpected input data type.")


@pytest.mark.usefixtures("core")
def test_free_dimensions_without_a_name_can_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.onnx"
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[?, 3, ?] x) => (float y) { y = ReduceSum(x) }'
    onnx.save(onnx.parser.parse_model(text), file)
    assert main(["run", str(file), "--dim", "x[2]=7", "--dim", "x[0]=2", "--json"]) == 0
    assert printed_json(capsys)["inputs"]["x"]["shape"] == [2, 3, 7]
    for command in ("run", "bench"):
        assert main([command, str(file), "--dim", "N=7"]) == 1
        assert "--dim N: the model has no such free dimension; it has x[0], x[2]" in capsys.readouterr().err


@pytest.mark.usefixtures("core")
def test_nan_and_infinities_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "model.onnx"
    text = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[4] x) => (float[4] y, float[4] z, int64[4] n) {
        two = Constant<value_float = 2.0>()  n = Cast<to = 7>(x)
        d = Sub(x, two)  y = Log(d)  zero = Sub(x, x)  z = Div(d, zero)
    }"""
    onnx.save(onnx.parser.parse_model(text), file)
    assert main(["run", str(file)]) == 0
    text = capsys.readouterr().out
    assert "y: 4 of 4 elements NaN; random inputs may lie outside" in text
    assert "z: 4 of 4 elements infinite" in text
    assert "n: " not in text
    assert main(["run", str(file), "--json"]) == 0
    outputs = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))["outputs"]
    assert outputs["y"] == {"dtype": "float32", "shape": [4], "nan": 4, "first": ["nan"] * 4}


def test_misspelt_variables_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SARDONYX_TREADS", "2")
    assert main(["knobs"]) == 0
    assert "SARDONYX_TREADS is not an option" in capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    overview = capsys.readouterr().err
    assert "serve models over REST and gRPC" in overview
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.strip() == f"sardonyx {__version__}"
    (commands,) = (action.choices for action in parser()._actions if isinstance(action.choices, dict))
    assert len(commands) >= len(COMMANDS)
    for name in commands:
        with pytest.raises(SystemExit, match="0"):
            main([name, "--help"])
        assert ("--json" in capsys.readouterr().out) == (name not in ("serve", "ray", "key", "monitor"))


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("zoo", "ACTION; ACTION is one of list, search, show, pull"),
        ("train", "DATA"),
        ("convert", "SOURCE"),
    ],
)
def test_only_what_is_needed_is_said_to_be(
    command: str, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command])
    assert capsys.readouterr().err.endswith(f"the following arguments are required: {missing}\n")


@pytest.mark.parametrize("command", ["inspect", "explain", "bench"])
def test_a_file_that_is_none_is_told_in_words(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent.onnx"
    for path, said in (
        (absent, f"there is no file or folder {absent}"),
        (tmp_path, f"{tmp_path} is a folder; give a file"),
    ):
        assert main([command, str(path)]) == 1
        assert capsys.readouterr().err == f"sardonyx {command}: {said}\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "m.onnx"), "m.onnx: No space left on device"),
        (OSError(errno.EXDEV, "Invalid link", "a", None, "b"), "a -> b: Invalid link"),
        (OSError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
        (OSError(errno.ENOENT, "No such file or directory"), "No such file or directory"),
        (OSError("no whole picture"), "no whole picture"),
    ],
)
def test_errors_of_the_system_have_no_number(
    error: OSError, said: str, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fail(monkeypatch, "inspect", error)
    assert main(["inspect", model]) == 1
    assert capsys.readouterr().err == f"sardonyx inspect: {said}\n"


def test_missing_libraries_are_one_line(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, said in (
        (ImportError("texts need tokenizers; pip install it"), "texts need tokenizers; pip install it\n"),
        (ModuleNotFoundError("No module named 'PIL'"), "No module named 'PIL' (ModuleNotFoundError; "),
    ):
        _fail(monkeypatch, "inspect", error)
        assert main(["inspect", model]) == 1
        assert capsys.readouterr().err.startswith(f"sardonyx inspect: {said}")


def test_missing_libraries_are_named_with_their_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ModuleNotFoundError("No module named 'PIL'", name="PIL")
    _fail(monkeypatch, "vision", missing)
    assert main(["vision", "train", "folder"]) == 1
    assert capsys.readouterr().err == "sardonyx vision: PIL is missing; pip install 'sardonyx[vision]'\n"
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert set(_EXTRAS.values()) <= set(project["project"]["optional-dependencies"])


def _fail(monkeypatch: pytest.MonkeyPatch, command: str, error: Exception) -> None:
    """Have a command raise; the parser that is kept knows the one that does not."""
    monkeypatch.setattr(f"sardonyx.tools.commands.{command}.command", partial(_raise, error))
    monkeypatch.setattr("sardonyx.tools.cli.parser", parser.__wrapped__)


def _raise(error: Exception, options: object) -> int:
    raise error


def test_module_entry() -> None:
    source = Path(sys.modules["sardonyx"].__path__[0]).parent
    done = subprocess.run(
        [sys.executable, "-m", "sardonyx", "knobs"], capture_output=True, text=True, check=False, cwd=source
    )
    assert done.returncode == 0, done.stderr
    assert "SARDONYX_CACHE" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["task", "ocr", "--model", "m", "page.png"], {"name": "ocr", "inputs": ["page.png"], "model": "m"}),
        (
            ["task", "--json", "label", "text", "-o", "x", "a", "b"],
            {"name": "label", "inputs": ["text", "a", "b"]},
        ),
        (["task"], {"name": None, "inputs": []}),
        (["task", "label", "--", "-5", "low", "high"], {"name": "label", "inputs": ["-5", "low", "high"]}),
        (["zoo", "pull", "--quiet", "a", "--refresh", "b"], {"action": "pull", "what": ["a", "b"]}),
        (["bench", "a.onnx", "--threads", "1", "b.onnx"], {"models": ["a.onnx", "b.onnx"], "threads": 1}),
        (
            ["train", "compare", "--json", "a.onnx", "b.onnx"],
            {"data": "compare", "rest": ["a.onnx", "b.onnx"]},
        ),
        (["convert", "env", "--json", "remove", "torch"], {"source": "env", "rest": ["remove", "torch"]}),
        (["vision", "train", "-o", "x.onnx", "pictures"], {"source": "pictures"}),
        (["traffic", "e", "--json", "a=50", "b=50"], {"endpoint": "e", "weights": ["a=50", "b=50"]}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_stand_anywhere(words: list[str], expected: dict[str, Any]) -> None:
    found = vars(parser().parse_args(words))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_are_written_in_any_terminal(encoding: str, tmp_path: Path) -> None:
    named = tmp_path / "mod\u00e8le\udcff.onnx"
    onnx.save(onnx.parser.parse_model(TEXT), named)
    done = subprocess.run(
        [sys.executable, "-m", "sardonyx", "inspect", "--no-compile", named],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    letter = "\u00e8".encode() if encoding == "utf-8" else rb"\xe8"
    assert done.returncode == 0 and b"mod" + letter + rb"le\udcff.onnx" in done.stdout, done.stderr


@pytest.mark.filterwarnings("ignore:nothing will be cached:RuntimeWarning")
@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["run", "--output", "{}"], "y.npy"),
        pytest.param(["quantize", "--kind", "weights", "-o", "{}/q.onnx"], "q.onnx", marks=pytest.mark.slow),
        (["convert-precision", "-o", "{}/h.onnx"], "h.onnx"),
    ],
)
def test_a_full_disk_is_told_with_the_file(
    words: list[str],
    file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", str(stocked(tmp_path / "cache")))
    source = tmp_path / "model.onnx"
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
    declared = [onnx.helper.make_tensor_value_info(name, 1, [512, 512]) for name in "xy"]
    weight = onnx.numpy_helper.from_array(np.ones((512, 512), np.float32), "w")
    graph = onnx.helper.make_graph(nodes, "g", declared[:1], declared[1:], [weight])
    imported = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, ir_version=8, opset_imports=imported), source)
    made = tmp_path / "made"
    made.mkdir()
    with full_disk(125_000):
        code = main([words[0], str(source), *(word.format(made) for word in words[1:])])
    assert code == 1
    assert re.fullmatch(rf"sardonyx {words[0]}: {re.escape(str(made / file))}: .+\n", capsys.readouterr().err)

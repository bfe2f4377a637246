"""`sardonyx inspect`: what a model file contains and what its program needs."""

from __future__ import annotations

import argparse
from typing import Any

from sardonyx.base.dataclass import asdict
from sardonyx.base.report import Report
from sardonyx.base.signature import TensorInfo
from sardonyx.frontend.summary import Summary, summarize
from sardonyx.tools.console import bytes_text, print_json, shape_text, table
from sardonyx.tools.models import add_model_options, open_session

_MEMORY = (
    ("weight_bytes", "weights"),
    ("arena_bytes", "intermediate results"),
    ("code_bytes", "machine code"),
)


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "inspect",
        help="show inputs, outputs, operators, parameters, memory",
        description="Show inputs, outputs, metadata, operators, opsets, parameters and memory of MODEL.",
    )
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    parser.add_argument("--no-compile", action="store_true", help="read the file only; memory is not shown")
    add_model_options(parser)
    parser.set_defaults(command_function=command)


def command(options: argparse.Namespace) -> int:
    """Show the model."""
    summary = summarize(options.model)
    report = None if options.no_compile else open_session(options)[0].report
    if options.json:
        data = asdict(summary)
        data["model"] = options.model
        data["memory"] = None if report is None else {name: report.counters.get(name) for name, _ in _MEMORY}
        data["fallbacks"] = None if report is None else [note._asdict() for note in report.fallbacks]
        print_json(data)
        return 0
    print("\n".join(_text(options.model, summary, report)))
    return 0


def _text(path: str, summary: Summary, report: Report | None) -> list[str]:
    from sardonyx.convert.provenance import NOTES, notes_of, readable

    opsets = ", ".join(f"{domain} {version}" for domain, version in summary.opsets.items())
    meta = summary.metadata
    notes = notes_of(meta.custom_metadata_map)
    facts = [
        ("file", f"{path}, {bytes_text(summary.file_bytes)}"),
        ("producer", summary.producer),
        ("graph", meta.graph_name),
        ("version", str(meta.version) if meta.version else ""),
        ("domain", meta.domain),
        ("description", meta.description.strip().partition("\n")[0]),
        ("opsets", f"{opsets} (IR {summary.ir_version})"),
        *(
            (key, readable(key, text))
            for key, text in meta.custom_metadata_map.items()
            if key != NOTES or not notes
        ),
    ]
    lines = [table([(name, _short(value)) for name, value in facts if value], indent="")]
    lines += ["notes", *(f"  {text}" for text in notes)] if notes else []
    lines += ["inputs", _arguments(summary.inputs), "outputs", _arguments(summary.outputs)]
    lines.append(f"operators ({sum(summary.operators.values())})")
    lines.append(table([(name, str(count)) for name, count in summary.operators.items()]))
    if summary.functions:
        lines.append(f"functions of the model: {', '.join(summary.functions)}")
    lines.append(f"parameters ({sum(summary.parameters.values()):,})")
    sizes = summary.parameter_bytes
    lines.append(
        table([(name, f"{count:,}", bytes_text(sizes[name])) for name, count in summary.parameters.items()])
    )
    if summary.external_files:
        lines.append(f"parameters in other files: {', '.join(summary.external_files)}")
    if report is not None:
        rows = [(text, _memory(summary, report, name)) for name, text in _MEMORY if name in report.counters]
        lines += ["memory", table(rows)] if rows else []
        lines.append(f"operators that do not run native: {len(report.fallbacks)}")
    return [line for line in lines if line]


def _memory(summary: Summary, report: Report, name: str) -> str:
    free = any(not isinstance(size, int) for info in summary.inputs for size in info.shape or ())
    if name == "arena_bytes" and free and not report.counters[name]:
        return "as the sizes of the inputs need"
    return bytes_text(report.counters[name])


def _arguments(infos: tuple[TensorInfo, ...]) -> str:
    return table([(info.name, info.type, shape_text(info.shape)) for info in infos])


def _short(text: str, limit: int = 100) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."

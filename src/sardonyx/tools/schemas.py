"""Writes frontend/schemas.json from the schemas of the installed onnx: `python -m sardonyx.tools.schemas`."""

from __future__ import annotations

import json
import sys

from onnx import defs

from sardonyx.frontend import schemas


def text() -> str:
    """The table as it is written, a line for each operator."""
    table = schemas.table_of(defs.get_all_schemas_with_history(), schemas.newest_installed())
    operators = table.pop("operators")
    lines = [f"{json.dumps(name)}: {json.dumps(value)}," for name, value in table.items()]
    lines.append('"operators": {')
    for domain, found in operators.items():
        rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in found.items())
        lines.append(f"{json.dumps(domain)}: {{\n{rows}\n}}{',' if domain != list(operators)[-1] else ''}")
    return "\n".join(["{", *lines, "}}"]) + "\n"


def main() -> int:
    """Write the file."""
    schemas.TABLE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write the JSON Schema of mechanisms: `python -m peabench.mechanism.schema docs/mechanism.schema.json`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from peabench.mechanism.mechanism import json_schema


def main(arguments: Sequence[str]) -> int:
    """Write the schema to the one path in `arguments`; the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("expected one argument, the file to write, such as docs/mechanism.schema.json\n")
        return 2
    Path(arguments[0]).write_text(json_schema(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

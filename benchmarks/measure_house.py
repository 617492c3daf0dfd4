"""Measure the house: modules, their sizes, and where Keras is imported.

    python benchmarks/measure_house.py

Writes docs/measured/house.json. The figures of before the re-house were measured at 908a6fc in the same way.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measurements import PROJECT, write_measurement

from tests.test_architecture import KERAS_FOLDERS

BEFORE = {"modules": 334, "mean_lines": 111.4, "longest": 324, "under_40_lines": 35, "keras_exceptions": 27}
KERAS = ("keras", "tensorflow", "tf2onnx")


def main() -> None:
    modules = [path for path in sorted((PROJECT / "bloodcell").rglob("*.py")) if path.name != "__init__.py"]
    lines = [path.read_text(encoding="utf-8").count("\n") for path in modules]
    users = [path for path in modules if any(imports_keras(path))]
    allowed = {PROJECT.joinpath(*folder.split(".")) for folder in KERAS_FOLDERS}
    now: dict[str, Any] = {
        "modules": len(modules),
        "mean_lines": round(sum(lines) / len(lines), 1),
        "longest": max(lines),
        "under_40_lines": sum(count < 40 for count in lines),
        "keras_folders": sorted(str(folder.relative_to(PROJECT)) for folder in allowed),
        "keras_exceptions": sum(path.parent not in allowed for path in users),
    }
    write_measurement("house", {"before": BEFORE, "now": now})


def imports_keras(path: Path) -> Iterator[bool]:
    """Tell of each import of a module whether it is of Keras or TensorFlow."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] in KERAS for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0] in KERAS


if __name__ == "__main__":
    main()

"""What the measuring scripts share: where the shared data lie, and where metrics go."""

import json
import os
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("BLOODCELL_DATA") or PROJECT.parent / "shared" / "data")
RESULTS_DIR = PROJECT / "docs" / "measured"


def require_path(path: Path) -> Path:
    """`path`, or the end of the script with a reason."""
    if not path.exists():
        raise SystemExit(f"error: {path} is not there: put the shared data there or set BLOODCELL_DATA.")
    return path


def write_measurement(name: str, metrics: dict[str, Any]) -> None:
    """Write metrics to docs/measured/NAME.json, from which docs/results.md is made."""
    RESULTS_DIR.mkdir(parents=True, exist_ok=True)
    (RESULTS_DIR / f"{name}.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(metrics, indent=2))

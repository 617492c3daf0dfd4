"""What the measuring scripts share: where the shared data lie, and where figures go."""

import json
import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("BLOODCELL_DATA") or PROJECT.parent / "shared" / "data")
MEASURED = PROJECT / "docs" / "measured"


def need(path: Path) -> Path:
    """`path`, or the end of the script with a reason."""
    if not path.exists():
        raise SystemExit(f"error: {path} is not there: put the shared data there or set BLOODCELL_DATA.")
    return path


def keep(name: str, figures: dict) -> None:
    """Write figures to docs/measured/NAME.json, from which docs/results.md is made."""
    MEASURED.mkdir(parents=True, exist_ok=True)
    (MEASURED / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))

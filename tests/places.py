"""Where the tests find the project and the shared data."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"
SPECS = ROOT / "specs"
SHARED_DATA = Path(os.environ.get("BLOODCELL_DATA") or ROOT.parent / "shared" / "data")

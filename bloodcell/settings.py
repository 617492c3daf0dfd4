"""Where Bloodcell keeps things and which limits hold; read from the environment once per call."""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one installation.

    home : the workspace folder (BLOODCELL_HOME, default ./workspace beside the code)
    db_url : SQLAlchemy URL (BLOODCELL_DB, default SQLite in the workspace)
    shelf : folder of shipped models
    """

    home: Path
    db_url: str
    shelf: Path = PROJECT_DIR / "models"

    @property
    def blobs_dir(self) -> Path:
        """Uploaded bytes, stored under their SHA-256."""
        return self.home / "images"

    @property
    def runs_dir(self) -> Path:
        """Training runs and the models that came of them."""
        return self.home / "runs"

    @property
    def datasets_dir(self) -> Path:
        """Registered datasets, a folder each (`data.shelf`), beside downloaded public ones."""
        return self.home / "datasets"

    @property
    def cells_dir(self) -> Path:
        """Cells cut out of batches that people have gone through, a folder a dataset (`review.cell_sets`)."""
        return self.home / "cells"


def load_settings() -> Settings:
    """Read the settings from the environment."""
    home = Path(os.environ.get("BLOODCELL_HOME") or PROJECT_DIR / "workspace").expanduser().resolve()
    db_url = os.environ.get("BLOODCELL_DB") or f"sqlite:///{home / 'bloodcell.db'}"
    return Settings(home=home, db_url=db_url)

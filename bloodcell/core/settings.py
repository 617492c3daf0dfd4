"""Where Bloodcell keeps things and which limits hold; read from the environment once per call."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import JobError, StoreError
from bloodcell.core.installation import CODE_DIR, FILES_DIR, IS_INSTALLED

# Where the workspace is created unless BLOODCELL_HOME says otherwise: beside the code, or in the folder of the command.
_HOME_PARENT = Path.cwd() if IS_INSTALLED else CODE_DIR
# Red cells per litre that estimates start from where a laboratory sets nothing: the middle of the usual range of adults,
# 3.8 to 5.8 (Bain, Bates & Laffan, Dacie and Lewis Practical Haematology, 12th ed., table 2.1).
ASSUMED_RED_CELLS_PER_L: Final = 4.8e12
_RED_CELLS_RANGE: Final = (0.5, 10.0)  # 10^12 per litre, that a patient can have


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one installation.

    Attributes
    ----------
    home : Path
        The workspace folder (BLOODCELL_HOME, default ./workspace: beside the code, or in the current folder where the
        package is installed).
    db_url : str
        SQLAlchemy URL (BLOODCELL_DB, default SQLite in the workspace).
    shipped_models_dir : Path
        Folder of the models that come with Bloodcell.
    jobs_at_once : int, default 1
        How many jobs run at a time (BLOODCELL_JOBS); the others wait.
    runner : str, default "local"
        What runs them (BLOODCELL_RUNNER), by default processes of this machine; see `jobs.runners.table`.
    ray_address : str
        Of the Ray cluster where the runner is "ray" (RAY_ADDRESS).
    red_cells_per_l : float, default 4.8e12
        What estimates of cells per litre start from (BLOODCELL_RED_CELLS, in 10^12 per litre).
    """

    home: Path
    db_url: str
    shipped_models_dir: Path = FILES_DIR / "models"
    jobs_at_once: int = 1
    runner: str = "local"
    ray_address: str = ""
    red_cells_per_l: float = ASSUMED_RED_CELLS_PER_L

    @property
    def blobs_dir(self) -> Path:
        """Uploaded bytes, stored under their SHA-256."""
        return self.home / "images"

    @property
    def runs_dir(self) -> Path:
        """Results of training jobs, a folder each: models, and the metrics of experiments."""
        return self.home / "runs"

    @property
    def incoming_models_dir(self) -> Path:
        """Uploaded model files that a job is to load (`jobs.kinds.load`)."""
        return self.home / "models-in"

    @property
    def jobs_dir(self) -> Path:
        """Jobs, a folder each: spec, log, history and checkpoint (`jobs.files`)."""
        return self.home / "jobs"

    @property
    def evaluations_dir(self) -> Path:
        """Finished evaluations, a folder each (`evaluation.evaluation_folder`)."""
        return self.home / "evaluations"

    @property
    def datasets_dir(self) -> Path:
        """Registered datasets, a folder each (`datasets.catalog.library`), beside downloaded public ones."""
        return self.home / "datasets"

    @property
    def cells_dir(self) -> Path:
        """Cells cut out of reviewed batches (`review.cell_sets`) or of images with boxes, a folder per dataset."""
        return self.home / "cells"

    @property
    def explanations_dir(self) -> Path:
        """Explanations, a folder each (`explain.explanation`); they can be deleted and computed again."""
        return self.home / "explanations"


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    JobError
        If BLOODCELL_JOBS is not a whole number of 1 or more.
    StoreError
        If BLOODCELL_RED_CELLS is not a number from 0.5 to 10.
    """
    home = Path(os.environ.get("BLOODCELL_HOME") or _HOME_PARENT / "workspace").expanduser().resolve()
    db_url = os.environ.get("BLOODCELL_DB") or f"sqlite:///{home / 'bloodcell.db'}"
    jobs_at_once = os.environ.get("BLOODCELL_JOBS") or "1"
    if not jobs_at_once.isdecimal() or int(jobs_at_once) < 1:
        raise JobError(f"BLOODCELL_JOBS must be a whole number of 1 or more. Received: {jobs_at_once!r}.")
    runner = os.environ.get("BLOODCELL_RUNNER") or "local"
    ray_address = os.environ.get("RAY_ADDRESS") or ""
    return Settings(
        home,
        db_url,
        jobs_at_once=int(jobs_at_once),
        runner=runner,
        ray_address=ray_address,
        red_cells_per_l=_read_red_cells_per_l(),
    )


def _read_red_cells_per_l() -> float:
    text = os.environ.get("BLOODCELL_RED_CELLS") or ""
    if not text:
        return ASSUMED_RED_CELLS_PER_L
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    lowest, highest = _RED_CELLS_RANGE
    if not lowest <= count <= highest:
        raise StoreError(
            f"BLOODCELL_RED_CELLS must be red cells per litre in 10^12, from {lowest:g} to {highest:g}. "
            f"Received: {text!r}."
        )
    return count * 1e12

"""Open a training run: its samples, their folds, and the checkpoints that it continues from."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from bloodcell.core.progress import Control
from bloodcell.datasets.catalog.open_sources import read_source_split
from bloodcell.model_store.folder import HISTORY_FILE
from bloodcell.training.fitting.callbacks import RunContext
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.output.history import write_history
from bloodcell.training.samples.folds import NOT_USED, assign_folds
from bloodcell.training.samples.imbalance import select_training_samples
from bloodcell.training.samples.samples import Samples, load_samples
from bloodcell.training.samples.source_cache import report_reading
from bloodcell.training.specs.train_spec import TrainSpec


@dataclass(frozen=True)
class TrainingRun:
    """What the fits of a run work on.

    Attributes
    ----------
    spec : TrainSpec
        Settings of the fits.
    samples : Samples
        The N samples of the spec, without those that a split leaves out, such as its test part.
    folds : ndarray of int, shape (N,)
        Fold of each sample.
    context : RunContext
        What the fits share.
    leaky : list of str
        Sources whose split has copies of one cell on both sides: all metrics that follow are too good.
    started : float
        Start of the run in seconds since 1970, as if it had never been stopped.
    """

    spec: TrainSpec
    samples: Samples
    folds: np.ndarray
    context: RunContext
    leaky: list[str]
    started: float

    def take_fold(self, fold: int) -> Samples:
        """Return the samples of one fold."""
        return self.samples.take(self.folds == fold)

    def take_training_samples(self, held_out_fold: int | None = None) -> Samples:
        """Return the samples of all folds but the one held out, within the limits of the sources."""
        is_candidate = np.ones(len(self.folds), bool) if held_out_fold is None else self.folds != held_out_fold
        return select_training_samples(self.spec, self.samples, is_candidate)


def open_training_run(
    work_dir: Path, spec: TrainSpec, data_dir: Path, cache_dir: Path, fits: int, control: Control
) -> TrainingRun:
    """Load the samples of a run, open its checkpoints, and write its history as far as it has come.

    Parameters
    ----------
    work_dir : Path
        Folder of the run; created if it is missing.
    spec : TrainSpec
        Settings of the run.
    data_dir : Path
        Folder that the sources' paths start from.
    cache_dir : Path
        Folder for crops, shared by runs.
    fits : int
        Number of fits of the run.
    control : Control
        Follows the run and may stop it.

    Returns
    -------
    TrainingRun

    Raises
    ------
    DatasetError
        If a source cannot be read or has too few cells.
    RunError
        If the checkpoints are of another run.
    StoppedError
        If `control` stops the reading.
    """
    if spec.deterministic:
        tf.config.experimental.enable_op_determinism()
    control.log("Finding and cropping cells ...")
    samples = load_samples(spec, data_dir, cache_dir, report_reading(control))
    folds = assign_folds(spec, samples)
    if (folds == NOT_USED).any():
        samples, folds = samples.take(folds != NOT_USED), folds[folds != NOT_USED]
    context = open_run_context(work_dir, spec, samples, data_dir, fits, control)
    earlier = context.checkpoints.read_history()
    started = time.time() - sum({row.fit: row.seconds for row in earlier}.values())
    return TrainingRun(spec, samples, folds, context, find_leaky_sources(spec, data_dir), started)


def open_run_context(
    work_dir: Path, spec: TrainSpec, samples: Samples, data_dir: Path, fits: int, control: Control
) -> RunContext:
    """Open the checkpoints of a run and write its history as far as it has come; parameters as `open_training_run`."""
    work_dir.mkdir(parents=True, exist_ok=True)
    checkpoints = open_checkpoints(work_dir / CHECKPOINT_DIR, spec, samples)
    write_history(work_dir / HISTORY_FILE, checkpoints.read_history())
    return RunContext(control, checkpoints, work_dir / HISTORY_FILE, data_dir, fits)


def find_leaky_sources(spec: TrainSpec, data_dir: Path) -> list[str]:
    """Find the sources whose split is marked as leaky."""
    splits = [(source.name, read_source_split(source, data_dir)) for source in spec.sources]
    return [name for name, split in splits if split is not None and split.leaky]

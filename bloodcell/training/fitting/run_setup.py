"""A run opened: its samples, their folds, and the checkpoints that it goes on from."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from bloodcell.core.progress import Control, raise_if_stopped
from bloodcell.datasets.catalog.open_sources import read_source_split
from bloodcell.model_store.folder import HISTORY_FILE
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.fitting.phases import Work
from bloodcell.training.output.history import write_history
from bloodcell.training.samples.folds import NOT_USED, assign_folds
from bloodcell.training.samples.samples import Samples, load_samples
from bloodcell.training.specs.train_spec import TrainSpec


@dataclass(frozen=True)
class TrainingRun:
    """What the fits of a run work on.

    samples : all Samples of the spec but those that a split leaves out, its test part too
    folds : int array (N,), fold of each
    work : Work of the fits
    leaky : names of the sources whose split tears copies of one cell apart: all figures that follow are too good
    started : when the run began, in seconds since 1970, as if it had never been stopped
    """

    samples: Samples
    folds: np.ndarray
    work: Work
    leaky: list[str]
    started: float


def open_training_run(
    work_dir: Path, spec: TrainSpec, data_dir: Path, cache_dir: Path, fits: int, control: Control
) -> TrainingRun:
    """Load the samples of a run and open its checkpoints, and write its history as far as it has come.

    Parameters
    ----------
    work_dir : folder of the run, made where it is missing
    fits : how many fits the run has
    """
    if spec.deterministic:
        tf.config.experimental.enable_op_determinism()

    def on_progress(source: str, done: int, total: int) -> None:
        raise_if_stopped(control)
        control.on_reading(source, done, total)

    control.log("Finding and cropping cells ...")
    samples = load_samples(spec, data_dir, cache_dir, on_progress)
    folds = assign_folds(spec, samples)
    if (folds == NOT_USED).any():
        samples, folds = samples.take(folds != NOT_USED), folds[folds != NOT_USED]
    work_dir.mkdir(parents=True, exist_ok=True)
    checkpoints = open_checkpoints(work_dir / CHECKPOINT_DIR, spec, samples)
    earlier = checkpoints.rows()
    write_history(work_dir / HISTORY_FILE, earlier)
    started = time.time() - sum({row["fit"]: row["seconds"] for row in earlier}.values())
    work = Work(control, checkpoints, work_dir / HISTORY_FILE, data_dir, fits)
    return TrainingRun(samples, folds, work, find_leaky_sources(spec, data_dir), started)


def find_leaky_sources(spec: TrainSpec, data_dir: Path) -> list[str]:
    """Names of the sources whose split is marked leaky."""
    splits = [(source.name, read_source_split(source, data_dir)) for source in spec.sources]
    return [name for name, split in splits if split is not None and split.leaky]

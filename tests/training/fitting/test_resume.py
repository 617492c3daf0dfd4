"""A run of several fits that is stopped between and within them, and disks that are full."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from bloodcell.core.errors import StoppedError
from bloodcell.jobs.worker import FULL_DISK, describe_failure
from bloodcell.model_store.folder import OUT_OF_FOLD_FILE
from bloodcell.model_store.publish import get_unfinished_dir
from bloodcell.training.fitting.train import train, train_in_folder
from bloodcell.training.output.calibration import Outputs
from tests.training.fitting.test_fit_network import Watch
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC, trained

pytestmark = FOREIGN_WARNINGS


class StopsIn(Watch):
    """Stops in the second epoch of a fit."""

    def __init__(self, fit):
        super().__init__()
        self.fit = fit

    def should_stop(self):
        return bool(self.rows) and (self.rows[-1]["fit"], self.rows[-1]["epoch"]) == (self.fit, 1)


@pytest.mark.slow  # over a minute: several runs
def test_finished_fits_are_not_done_again(tmp_path_factory, tmp_path):
    data_dir, _ = trained(tmp_path_factory)
    spec = replace(SPEC, fold=-1, folds=2, epochs=2)
    run_dir, cache = tmp_path / "all", tmp_path / "cache"
    with pytest.raises(StoppedError):
        train(spec, data_dir, run_dir, cache, stopped := StopsIn(fit=2))
    assert not run_dir.exists()
    unfinished = get_unfinished_dir(run_dir)
    assert sorted(path.name for path in (unfinished / "checkpoint").glob("*.npz")) == ["answers-1.npz", "fit-2.npz"]
    with np.load(unfinished / "checkpoint" / "answers-1.npz") as stored:
        first = stored["logits"]
    train(spec, data_dir, run_dir, cache, then := Watch())
    assert [(row["fit"], row["epoch"]) for row in stopped.rows + then.rows] == [
        (fit, epoch) for fit in (1, 2, 3) for epoch in (1, 2)
    ]
    answers = Outputs.load(run_dir / OUT_OF_FOLD_FILE).logits
    assert {tuple(row) for row in first} <= {tuple(row) for row in answers}
    assert not unfinished.exists()
    assert (run_dir / "model.onnx").is_file()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB, where the system lets us have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, timeout=30)
    except OSError:
        pytest.skip("there is no mount command to make a small disk with")
    if made.returncode != 0:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=30)


def test_a_full_disk_ends_a_run_with_the_reason_and_keeps_what_there_was(tmp_path_factory, tmp_path, small_disk):
    data_dir, run_dir = trained(tmp_path_factory)
    spec = replace(SPEC, epochs=3)
    with pytest.raises(OSError, match="No space left on device") as raised:
        train_in_folder(small_disk, spec, data_dir, run_dir.parent.parent / "cache", Watch())
    assert describe_failure(raised.value) == FULL_DISK
    assert (small_disk / "checkpoint" / "run.json").is_file()
    assert not list(small_disk.rglob(".part-*"))

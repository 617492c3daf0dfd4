"""The command that submits a job, and names as parts of file names."""

import shlex
from pathlib import Path

import pytest

from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.ui.train.job_request import format_command, make_slug

SPEC = TrainSpec("net", (SourceSpec("cells", "cells"),))


def test_only_other_kinds_than_training_are_named():
    data_dir = Path("/data of mine")
    train = format_command(TRAIN.make_job(SPEC, data_dir, "Ada"), "net.json")
    kfold = format_command(KFOLD.make_job(SPEC, data_dir, "Ada"), "net.json")
    assert shlex.split(train)[3:] == ["jobs", "submit", "net.json", "--data", "/data of mine"]
    assert shlex.split(kfold)[3:] == ["jobs", "submit", "net.json", "--kind", "kfold", "--data", "/data of mine"]


@pytest.mark.parametrize(
    ("name", "slug"), [("Drawn: cells/1", "drawn-cells-1"), ("Größe", "gr-e"), ("***", "model"), ("x" * 50, "x" * 40)]
)
def test_slugs(name, slug):
    assert make_slug(name) == slug

"""Settings of jobs of every kind: told apart by what they hold, and what the jobs and their results are called."""

import json
from dataclasses import replace

import pytest

from bloodcell.core.errors import SpecError
from bloodcell.datasets.catalog.sources import SourceSpec
from bloodcell.jobs.job_specs import job_of, read_job_spec
from bloodcell.training.specs.adapt_spec import AdaptSpec
from bloodcell.training.specs.search_spec import Choices, SearchSpec
from bloodcell.training.specs.trials_spec import TrialsSpec
from tests.training.tiny_run import SPEC

SEARCH = SearchSpec("found", SPEC, (("dropout", Choices((0.1, 0.2))),), trials=7)
ADAPT = AdaptSpec("mine", "wbc4", SourceSpec("cells", "cells"))


@pytest.mark.parametrize("spec", [SPEC, TrialsSpec(SPEC, 3), SEARCH, ADAPT])
def test_a_spec_is_known_by_what_it_holds(spec):
    assert read_job_spec(spec.to_json()) == spec


@pytest.mark.parametrize("text", ["[]", "{", '{"colour": 1}', '{"train": {"name": 1}, "m": 2}'])
def test_what_is_no_spec(text):
    with pytest.raises(SpecError):
        read_job_spec(text)


@pytest.mark.parametrize(
    ("spec", "is_kfold", "kind", "name", "title"),
    [
        (SPEC, False, "train", "drawn", "drawn"),
        (replace(SPEC, title="Cells"), False, "train", "drawn", "Cells"),
        (SPEC, True, "kfold", "drawn-kfold", "3 folds: drawn"),
        (TrialsSpec(SPEC, 3), False, "trials", "drawn-trials", "3 trials: drawn"),
        (SEARCH, False, "search", "found-search", "Search, 7 trials: drawn"),
        (ADAPT, False, "adapt", "mine", "Adapt wbc4: mine"),
    ],
)
def test_jobs_are_named_by_what_they_do(spec, is_kfold, kind, name, title, tmp_path):
    job = job_of(spec, tmp_path, "Ada", is_kfold=is_kfold)
    assert (job.kind, job.name, job.title) == (kind, name, title)
    assert (job.data_dir, job.who, job.spec) == (str(tmp_path), "Ada", json.loads(spec.to_json()))

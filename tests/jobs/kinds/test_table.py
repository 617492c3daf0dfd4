"""Specs of jobs of every kind: told apart by what they hold, and what the jobs and their results are called."""

import json
from dataclasses import replace

import pytest

from bloodcell.core.errors import SpecError
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.jobs.kinds.table import find_kind, read_job_file
from bloodcell.training.specs.adapt_spec import AdaptSpec
from bloodcell.training.specs.search_spec import Choices, SearchSpec
from bloodcell.training.specs.trials_spec import TrialsSpec
from tests.training.tiny_run import SPEC

SEARCH = SearchSpec("found", SPEC, (("dropout", Choices((0.1, 0.2))),), trials=7)
ADAPT = AdaptSpec("mine", "wbc4", SourceSpec("cells", "cells"))


@pytest.mark.parametrize(
    ("spec", "kind"), [(SPEC, "train"), (TrialsSpec(SPEC, 3), "trials"), (SEARCH, "search"), (ADAPT, "adapt")]
)
def test_a_spec_is_known_by_what_it_holds(spec, kind):
    assert read_job_file(spec.to_json()) == (find_kind(kind), spec)


@pytest.mark.parametrize("text", ["[]", "{", '{"colour": 1}', '{"train": {"name": 1}, "m": 2}'])
def test_what_is_no_spec(text):
    with pytest.raises(SpecError):
        read_job_file(text)


@pytest.mark.parametrize(
    ("spec", "kind", "name", "title"),
    [
        (SPEC, "train", "drawn", "drawn"),
        (replace(SPEC, title="Cells"), "train", "drawn", "Cells"),
        (SPEC, "kfold", "drawn-kfold", "3 folds: drawn"),
        (TrialsSpec(SPEC, 3), "trials", "drawn-trials", "3 trials: drawn"),
        (SEARCH, "search", "found-search", "Search, 7 trials: drawn"),
        (replace(SEARCH, trials=1), "search", "found-search", "Search, 1 trial: drawn"),
        (ADAPT, "adapt", "mine", "Adapt wbc4: mine"),
    ],
)
def test_jobs_are_named_by_what_they_do(spec, kind, name, title, tmp_path):
    job = find_kind(kind).make_job(spec, tmp_path, "Ada")
    assert (job.kind, job.name, job.title) == (kind, name, title)
    assert (job.data_dir, job.who, job.spec) == (str(tmp_path), "Ada", json.loads(spec.to_json()))

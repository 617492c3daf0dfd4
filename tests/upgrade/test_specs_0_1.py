"""Every spec file of 0.1 is read as 0.1 read it: the same type, the same settings, the same job."""

import json

import pytest

from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.explain.spec import ExplainSpec
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.load import LOAD
from bloodcell.jobs.kinds.table import read_job_file
from bloodcell.model_import.load_spec import LoadSpec
from tests.upgrade.old_workspace import FOLDER, read_expected

FILES = sorted((FOLDER / "specs-0.1").glob("*.json"))
BY_NAME = {"source": (None, SourceSpec), "load": (LOAD, LoadSpec), "explain": (None, ExplainSpec)}


def read_spec(path):
    """The kind of job and the spec of a file; no kind where no job comes of it alone."""
    for start, (kind, spec_type) in BY_NAME.items():
        if path.stem.startswith(start):
            return kind, spec_type.read(path)
    kind, spec = read_job_file(path.read_text(encoding="utf-8"))
    return (KFOLD if path.stem.startswith("kfold") else kind), spec


def test_all_spec_files_are_there():
    assert [path.name for path in FILES] == sorted(read_expected()["specs"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_spec_file_is_read_as_before(path):
    expected = read_expected()["specs"][path.name]
    kind, spec = read_spec(path)
    assert type(spec).__name__ == expected["type"]
    assert spec.to_dict() == expected["read"]
    if "job" in expected:
        job = kind.make_job(spec, "/data", "Ada")
        assert [job.kind, job.name, job.title] == expected["job"]
        assert json.loads(json.dumps(job.spec)) == expected["read"]

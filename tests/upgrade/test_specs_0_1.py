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

LATER = {"frame": "box", "red_cell_px": 0.0}
FILES = sorted((FOLDER / "specs-0.1").glob("*.json"))
BY_NAME = {"source": (None, SourceSpec), "load": (LOAD, LoadSpec), "explain": (None, ExplainSpec)}


def read_spec(path):
    """The kind of job and the spec of a file; no kind where no job comes of it alone."""
    for start, (kind, spec_type) in BY_NAME.items():
        if path.stem.startswith(start):
            return kind, spec_type.read(path)
    kind, spec = read_job_file(path.read_text(encoding="utf-8"))
    return (KFOLD if path.stem.startswith("kfold") else kind), spec


def leave_out_later(settings):
    """Leave out the settings that came after 0.1, which must have the values that change nothing."""
    if isinstance(settings, list):
        return [leave_out_later(item) for item in settings]
    if not isinstance(settings, dict):
        return settings
    assert {name: settings.get(name, value) for name, value in LATER.items()} == LATER
    return {name: leave_out_later(value) for name, value in settings.items() if name not in LATER}


def test_all_spec_files_are_there():
    assert [path.name for path in FILES] == sorted(read_expected()["specs"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_spec_file_is_read_as_before(path):
    expected = read_expected()["specs"][path.name]
    kind, spec = read_spec(path)
    assert type(spec).__name__ == expected["type"]
    assert leave_out_later(spec.to_dict()) == expected["read"]
    if "job" in expected:
        job = kind.make_job(spec, "/data", "Ada")
        assert [job.kind, job.name, job.title] == expected["job"]
        assert leave_out_later(json.loads(json.dumps(job.spec))) == expected["read"]

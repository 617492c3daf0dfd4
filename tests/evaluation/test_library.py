"""The evaluations of a workspace: the newest comes first, also among those of one second."""

import os

from bloodcell.core.settings import Settings
from bloodcell.evaluation.evaluation_folder import EVALUATION_FILE
from bloodcell.evaluation.library import list_evaluations, store_evaluation
from tests.evaluation.made import made_evaluation


def test_of_one_second_the_one_written_last_comes_first(tmp_path):
    settings = Settings(tmp_path, "sqlite://", shipped_models_dir=tmp_path / "models")
    for name, created, written_ns in (("b", "T1", 1), ("a", "T1", 2), ("c", "T0", 3)):
        store_evaluation(made_evaluation(created=created), tmp_path / "new", name, settings)
        os.utime(settings.evaluations_dir / name / EVALUATION_FILE, ns=(written_ns, written_ns))
    assert [evaluation.name for evaluation in list_evaluations(settings)] == ["a", "b", "c"]

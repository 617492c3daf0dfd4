import importlib

import pytest

from bloodcell.core import installation
from bloodcell.core.errors import BloodcellError
from bloodcell.core.installation import TRAINING_PACKAGES, find_file, require_training
from tests.places import ROOT


def test_a_file_of_the_checkout_is_found():
    assert find_file("specs/wbc4.json") == ROOT / "specs" / "wbc4.json"


def test_files_of_an_installed_package_lie_inside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(installation, "FILES_DIR", tmp_path)
    (tmp_path / "models").mkdir()
    assert find_file("models") == tmp_path / "models"
    with pytest.raises(
        BloodcellError, match=r"This installation of Bloodcell lacks specs/wbc4\.json: install it again"
    ):
        find_file("specs/wbc4.json")


def test_nothing_is_said_where_the_training_packages_are_installed(monkeypatch):
    monkeypatch.setattr(installation, "find_spec", lambda package: package)
    assert require_training() is None


@pytest.mark.parametrize("package", TRAINING_PACKAGES)
def test_a_missing_training_package_is_one_sentence(monkeypatch, package):
    monkeypatch.setattr(installation, "find_spec", lambda name: None if name == package else name)
    with pytest.raises(BloodcellError, match=r"^Training needs more packages: pip install 'bloodcell\[train\]'\.$"):
        require_training()


def test_the_sentence_names_the_work(hide_packages):
    hide_packages(*TRAINING_PACKAGES)
    with pytest.raises(
        BloodcellError, match=r"^Adapting a model needs more packages: pip install 'bloodcell\[train\]'\.$"
    ):
        require_training("Adapting a model")


def test_a_hidden_package_cannot_be_imported(hide_packages):
    hide_packages("optuna")
    with pytest.raises(ImportError):
        importlib.import_module("optuna")

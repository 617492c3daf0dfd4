from pathlib import Path

import pytest

from bloodcell.core.errors import JobError, StoreError
from bloodcell.core.settings import load_settings
from tests.places import MODELS


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    for name in (
        "BLOODCELL_HOME",
        "BLOODCELL_DB",
        "BLOODCELL_JOBS",
        "BLOODCELL_RUNNER",
        "BLOODCELL_RED_CELLS",
        "RAY_ADDRESS",
    ):
        monkeypatch.delenv(name, raising=False)


def test_the_workspace_and_its_database_are_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path))
    settings = load_settings()
    assert (settings.home, settings.db_url) == (tmp_path, f"sqlite:///{tmp_path / 'bloodcell.db'}")
    assert settings.shipped_models_dir == MODELS
    assert (settings.jobs_at_once, settings.runner, settings.ray_address) == (1, "local", "")


def test_a_home_below_the_users_own(monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", "~/smears")
    assert load_settings().home == Path.home().resolve() / "smears"


def test_everything_can_be_set(monkeypatch, tmp_path):
    values = {"HOME": str(tmp_path), "DB": "postgresql://host/db", "JOBS": "3", "RUNNER": "ray"}
    for name, value in values.items():
        monkeypatch.setenv(f"BLOODCELL_{name}", value)
    monkeypatch.setenv("RAY_ADDRESS", "http://10.0.0.5:8265")
    settings = load_settings()
    assert (settings.db_url, settings.jobs_at_once) == ("postgresql://host/db", 3)
    assert (settings.runner, settings.ray_address) == ("ray", "http://10.0.0.5:8265")


def test_folders_of_the_workspace_differ(monkeypatch, tmp_path):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path))
    settings = load_settings()
    names = [name for name in dir(settings) if name.endswith("_dir") and name != "shipped_models_dir"]
    folders = {getattr(settings, name) for name in names}
    assert len(folders) == len(names) == 8
    assert {folder.parent for folder in folders} == {tmp_path}


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_a_number_of_jobs_that_cannot_be(monkeypatch, text):
    monkeypatch.setenv("BLOODCELL_JOBS", text)
    with pytest.raises(JobError, match=f"^BLOODCELL_JOBS must be a whole number of 1 or more. Received: '{text}'"):
        load_settings()


def test_estimates_start_from_the_red_cells_that_a_laboratory_sets(monkeypatch):
    assert load_settings().red_cells_per_l == 4.8e12
    monkeypatch.setenv("BLOODCELL_RED_CELLS", "3.2")
    assert load_settings().red_cells_per_l == pytest.approx(3.2e12)


@pytest.mark.parametrize("text", ["0.4", "11", "4.8e12", "nan", "many", "4,8"])
def test_red_cells_that_no_patient_has(monkeypatch, text):
    monkeypatch.setenv("BLOODCELL_RED_CELLS", text)
    with pytest.raises(StoreError, match=f"from 0.5 to 10. Received: '{text}'"):
        load_settings()

"""A workspace of its own for each test, with or without a model or the sample set."""

import functools
import shutil

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from bloodcell.core.settings import Settings, load_settings
from bloodcell.db.database import open_database
from bloodcell.jobs.queue import JobQueue
from tests.pages.tiny_model import write_tiny_model
from tests.places import ROOT


@pytest.fixture(scope="session", autouse=True)
def components_looked_for_once():
    """Each new AppTest reads what all installed packages say of themselves (0.4 s), and finds the same every time."""
    with pytest.MonkeyPatch.context() as patch:
        look = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", look)
        yield


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty workspace and an empty model library, set in the environment."""
    return own_workspace(tmp_path, monkeypatch)


def own_workspace(folder, patch):
    patch.setenv("BLOODCELL_HOME", str(folder / "ws"))
    patch.delenv("BLOODCELL_DB", raising=False)
    shipped_models_dir = folder / "models"
    shipped_models_dir.mkdir()
    patch.setattr(Settings, "__init__", _with_shipped_models(Settings.__init__, shipped_models_dir))
    st.cache_resource.clear()
    return folder / "ws"


def _with_shipped_models(original, shipped_models_dir):
    def init(self, home, db_url, shipped_models_dir=shipped_models_dir, **others):
        original(self, home, db_url, shipped_models_dir, **others)

    return init


@pytest.fixture
def model(workspace):
    """The tiny model in the model library of the workspace."""
    return write_tiny_model(workspace / "runs" / "tiny")


@pytest.fixture
def app(workspace):
    """The app, not yet run."""
    return new_app()


def new_app():
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)


@pytest.fixture(scope="session")
def sampled(tmp_path_factory):
    """A workspace into which the sample set was taken by click; copied, as each test changes its own."""
    with pytest.MonkeyPatch.context() as patch:
        home = own_workspace(tmp_path_factory.mktemp("sampled"), patch)
        write_tiny_model(home / "runs" / "tiny")
        app = new_app().run()
        app.button(key="classify-sample").click().run()
        assert not app.exception
        st.cache_resource.clear()
    return home


@pytest.fixture
def filled(app, model, workspace, sampled):
    """The app with the sample set in it, opened."""
    shutil.copytree(sampled, workspace, dirs_exist_ok=True)
    app.query_params["batch"] = "1"
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def queue(workspace):
    """The queue of the workspace."""
    settings = load_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    return JobQueue(open_database(settings.db_url), settings)


@pytest.fixture
def no_worker(monkeypatch):
    """A job that is begun gets no process, so it waits for ever."""
    monkeypatch.setattr("bloodcell.jobs.runners.local.LocalRunner.start", lambda *_: None)

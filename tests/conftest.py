"""What holds for every test: a workspace of its own, no outside host, the shared data where they are there."""

import gc
import multiprocessing
import multiprocessing.process
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from hypothesis import settings

from bloodcell.db.database import open_database
from bloodcell.model_store.versions import read_revision
from tests.places import ROOT, SHARED_DATA

TESTS = ROOT / "tests"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# The same examples in every run, and no time limit: two cores are busy with other tests.
settings.register_profile("bloodcell", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("bloodcell")

# The rooms whose tests load TensorFlow, Streamlit or a browser; `--unit` does not even collect them.
HEAVY_ROOMS = (
    "browser",
    "pages",
    "ui",
    "networks/builders",
    "explain/network",
    "training/fitting",
    "training/masks",
    "experiments",
    "cli/training",
    "jobs/kinds/test_experiments.py",
    "training/samples/test_samples.py",
    "training/samples/test_imbalance.py",
    "upgrade/test_resume_0_1.py",
    "model_import/sandboxed",
)
# Tests of the other rooms that are no unit tests say why by one of these marks.
HEAVY_MARKS = ("slow", "browser", "page", "keras", "process")
HEAVY_PACKAGES = ("tensorflow", "keras", "tf2onnx", "streamlit", "playwright")

# What takes longest, so that none of it is left for the end, when one worker waits for the other.
LONG_FIRST = (
    "tests/jobs/kinds/test_train.py",
    "tests/browser/",
    "tests/networks/",
    "tests/experiments/",
    "tests/training/",
    "tests/cli/",
    "tests/jobs/",
    "tests/pages/",
    "tests/upgrade/",
)


def pytest_addoption(parser):
    parser.addoption(
        "--unit", action="store_true", help="unit tests alone: quick ones, without " + ", ".join(HEAVY_PACKAGES)
    )


def pytest_configure(config):
    if config.getoption("--unit"):
        read_revision()  # asks git once and for all: an evaluation notes the revision that it was made with
        sys.meta_path.insert(0, RefusingFinder())


@pytest.fixture(scope="session", autouse=True)
def no_child_process(request):
    """With `--unit` a test, or a fixture that several share, that starts another process is an error."""
    if not request.config.getoption("--unit"):
        yield
        return

    def refuse(*_, **__):
        raise AssertionError("A unit test starts a process: mark it process.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", refuse)
        patch.setattr(multiprocessing.process.BaseProcess, "start", refuse)
        yield


def pytest_ignore_collect(collection_path, config):
    if not config.getoption("--unit"):
        return None
    inside = collection_path.relative_to(TESTS).as_posix() if collection_path.is_relative_to(TESTS) else ""
    return True if any(inside == room or inside.startswith(f"{room}/") for room in HEAVY_ROOMS) else None


class RefusingFinder:
    """Makes the import of a heavy package an error, so that no unit test can come to load one."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY_PACKAGES:
            raise AssertionError(f"A unit test imports {name}: mark it keras or page, or move it to such a room.")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--unit"):
        heavy = [item for item in items if any(item.get_closest_marker(mark) for mark in HEAVY_MARKS)]
        config.hook.pytest_deselected(items=heavy)
        items[:] = [item for item in items if item not in heavy]

    def rank(item):
        found = [number for number, start in enumerate(LONG_FIRST) if item.nodeid.startswith(start)]
        return min(found, default=len(LONG_FIRST))

    items.sort(key=rank)  # stable: the tests of a file stay together, in their order


def pytest_collection_finish():
    """Streamlit collects garbage after each run of a page: 0.3 s of looking at TensorFlow's modules, if they took part."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_workspace(tmp_path_factory):
    """No test, and no process that one starts, touches the user's workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLOODCELL_HOME", str(tmp_path_factory.mktemp("workspace")))
        for name in ("BLOODCELL_DB", "BLOODCELL_RUNNER", "RAY_ADDRESS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_outside_host():
    """A connection to any other machine is an error, so nothing here can depend on one."""
    connect = socket.socket.connect

    def connect_here(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"A test asked for the outside host {address}.")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        yield


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real images beside the project (or BLOODCELL_DATA); the test skips without it."""
    folder = SHARED_DATA
    if not folder.is_dir():
        pytest.skip(f"the shared data are absent: no ../{folder.parent.name}/{folder.name} and no BLOODCELL_DATA")
    return folder


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A SQLite file with all tables, made by the migrations; to be copied, not used."""
    path = tmp_path_factory.mktemp("template") / "bloodcell.db"
    open_database(f"sqlite:///{path}")
    return path


@pytest.fixture
def db_path(empty_database, tmp_path):
    path = tmp_path / "bloodcell.db"
    shutil.copyfile(empty_database, path)
    return path


@pytest.fixture
def db(db_path):
    """A database of its own for each test."""
    return open_database(f"sqlite:///{db_path}")


@pytest.fixture
def hide_packages(monkeypatch):
    """Call it with names of packages: they are then as if they were not installed."""

    def hide(*packages):
        for package in packages:
            monkeypatch.setitem(sys.modules, package, None)

    return hide


@pytest.fixture
def without_graphs():
    """Fits of a few batches go step by step: TensorFlow takes seconds to trace the graph of each."""
    with step_by_step():
        yield


@contextmanager
def step_by_step():
    """The same for a fixture that several tests share."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)

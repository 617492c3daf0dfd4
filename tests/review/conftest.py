"""A database of its own for each test."""

import shutil

import pytest

from bloodcell.review.database import open_database


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
    return open_database(f"sqlite:///{db_path}")

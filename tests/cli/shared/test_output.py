"""Output files are there whole or not at all."""

from pathlib import Path

import pytest

from bloodcell.cli.shared import output
from bloodcell.core.errors import StoreError


@pytest.fixture
def out(tmp_path):
    (tmp_path / "results").mkdir()
    return tmp_path / "results" / "cells.csv"


def test_a_write_protected_output(out, monkeypatch):
    out.write_text("kept")
    monkeypatch.setattr(output.os, "access", lambda _path, _mode: False)  # root may write everywhere
    with pytest.raises(StoreError, match=r"cells.csv is write-protected"):
        output.check_output_file(str(out))
    assert out.read_text() == "kept"


def test_a_full_disk_leaves_the_old_file(out, monkeypatch):
    out.write_text("kept")

    def full(path, _data):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match=r"cells.csv cannot be written: No space left on device"):
        output.write_output(out, b"new")
    assert out.read_text() == "kept"
    assert [path.name for path in out.parent.iterdir()] == ["cells.csv"]

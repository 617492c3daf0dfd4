"""ONNX Runtime as we load it keeps no record of its use."""

import os
import subprocess
import sys

import pytest

from tests.places import MODELS, ROOT


@pytest.mark.process
def test_onnx_runtime_notes_nothing_for_its_maker(tmp_path):
    """Its telemetry lies in the home of the user, and would be sent from there."""
    code = (
        "from pathlib import Path; from bloodcell.inference.engine import Engine;"
        f" Engine(Path({str(MODELS / 'wbc4')!r})); print('opened')"
    )
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "opened"), done.stderr
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in str(path).lower()] == []

"""The scripts of benchmarks/ can be run, and what they wrote into the documents is what they would write today."""

import importlib
import os
import subprocess
import sys

import pytest

from tests.places import ROOT

BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("*.py"))


@pytest.fixture(scope="module")
def _importable():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.mark.process
def test_every_script_finds_what_it_imports():
    """All in one process: names that a script takes from the package or from another script are there."""
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name); print(name)"
    done = subprocess.run(
        [sys.executable, "-c", code, *SCRIPTS],
        cwd=BENCHMARKS,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{BENCHMARKS}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == SCRIPTS


@pytest.mark.process
@pytest.mark.parametrize("name", ["measure_same_answers", "bench"])
def test_a_script_says_what_it_does(name):
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--help"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout[:6]) == (0, "usage:"), done.stderr


@pytest.mark.usefixtures("_importable")
def test_the_results_are_what_the_measurements_say():
    write_results = importlib.import_module("write_results")
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == write_results.render_results()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == write_results.render_readme(readme)

"""The examples in the docstrings are true."""

import doctest
import importlib

import pytest

from tests.places import ROOT
from tests.test_architecture import KERAS_FOLDERS

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "bloodcell").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
NEEDS = {
    "keras": tuple(f"{folder}." for folder in KERAS_FOLDERS),
    "page": ("bloodcell.ui.",),
    "process": ("bloodcell.datasets.copies.known_groups",),  # users' patterns run in one of their own
}


def marked(module):
    marks = [getattr(pytest.mark, mark) for mark, starts in NEEDS.items() if module.startswith(starts)]
    return pytest.param(module, marks=marks)


@pytest.mark.parametrize("module", [marked(module) for module in MODULES])
def test_the_examples_of_a_module(module):
    result = doctest.testmod(importlib.import_module(module), raise_on_error=False, report=True)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_there_are_examples():
    assert len(MODULES) >= 30

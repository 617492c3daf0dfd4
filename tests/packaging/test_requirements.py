"""What the package asks for and what is tested together agree: ranges in pyproject.toml, exact pins in requirements*.txt."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

import bloodcell
from tests.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRA_FILES = {extra: f"requirements-{extra}.txt" for extra in ("hub", "slides", "postgres", "ray")}


def read_pins(name):
    """Name of a package (and its platforms) -> its pinned version, of one requirements file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith(("#", "-r "))]
    assert all(re.fullmatch(r"==[^*]+", str(pin.specifier)) for pin in pins)
    return {(pin.name.lower(), str(pin.marker or "")): str(pin.specifier)[2:] for pin in pins}


def read_ranges(texts):
    """The requirements in pyproject.toml but those for an extra of our own, as `bloodcell[train]`."""
    return [one for one in map(Requirement, texts) if one.name != "bloodcell"]


APP, TRAIN = read_ranges(PROJECT["dependencies"]), read_ranges(PROJECT["optional-dependencies"]["train"])
CASES = [
    *(("requirements.txt", requirement) for requirement in (*APP, *TRAIN)),
    *(
        (EXTRA_FILES[extra], requirement)
        for extra, texts in PROJECT["optional-dependencies"].items()
        if extra in EXTRA_FILES
        for requirement in read_ranges(texts)
    ),
]


@pytest.mark.parametrize(("file", "requirement"), CASES, ids=[f"{file}-{one.name}" for file, one in CASES])
def test_a_range_contains_what_is_pinned(file, requirement):
    pins = read_pins(file)
    key = (requirement.name.lower(), str(requirement.marker or ""))
    assert key in pins
    assert requirement.specifier.contains(pins[key])


def test_all_that_is_pinned_is_asked_for():
    asked = {(one.name.lower(), str(one.marker or "")) for one in (*APP, *TRAIN)}
    assert read_pins("requirements.txt").keys() == asked


def test_every_extra_has_its_requirements_file():
    assert set(PROJECT["optional-dependencies"]) == {"train", *EXTRA_FILES}


def test_the_other_files_name_the_same_versions():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {bloodcell.__version__}\n" in citation
    assert f"\nlicense: {PROJECT['license']}\n" in citation
    ruff = read_pins("requirements-dev.txt")["ruff", ""]
    assert f"rev: v{ruff} " in (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_the_supported_versions_of_python_are_classified(minor):
    assert f"Programming Language :: Python :: 3.{minor}" in PROJECT["classifiers"]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(f"3.{minor}.0")

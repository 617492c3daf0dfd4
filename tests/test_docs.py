"""What the documents say is so: commands, links, and what may not be in the repository."""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bloodcell.cli.main import build_parser
from tests.places import ROOT

README = ROOT / "README.md"
COMMANDS_FILE = ROOT / "docs" / "commands.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FIGURES = ("copies", "classifier", "leaky_split")
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".zip"}
# Made by version 0.1 from drawn cells alone (tests/upgrade).
OLD_WORKSPACE = "tests/upgrade/"
# Paths of the machines that this was made on; written so that this file does not hold them.
MACHINE_PATHS = [f"/{name}/" for name in ("work", "root", "tmp/dev", "tmp/wt")]


def subcommands(parser):
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: (choice, action) for action in actions for name, choice in action.choices.items()}


def all_commands(parser, before=()):
    for name, (choice, action) in subcommands(parser).items():
        below = list(all_commands(choice, (*before, name)))
        yield from below or [(" ".join((*before, name)), {one.dest: one.help for one in action._choices_actions}[name])]


@pytest.mark.parametrize(("command", "help_text"), list(all_commands(build_parser())))
def test_every_command_has_help_and_stands_in_the_documents(command, help_text):
    assert help_text
    assert f"    bloodcell {command}" in COMMANDS_FILE.read_text(encoding="utf-8")


@pytest.mark.process
def test_the_document_on_commands_is_up_to_date():
    """It is written by `make docs`."""
    command = [sys.executable, "docs/make_commands.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_is_short_and_says_first_what_matters():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    headings = [line for line in lines if line.startswith("## ")]
    assert headings.index("## Main tasks") < headings.index("## How good is it?") < headings.index("## Limits")


def test_the_commands_for_datasets_share_the_options_that_the_document_names():
    text = COMMANDS_FILE.read_text(encoding="utf-8")
    named = ("--level", "--labels", "--file-column", "--label-column", "--ending")
    for command in ("evaluate", "compare", "explain", "explore", "groups", "split", "leaks"):
        known = subcommands(build_parser())[command][0].format_help()
        assert [option for option in named if option not in known or option not in text] == []


@pytest.mark.parametrize("command", ["make run", "make test"])
def test_the_two_commands_open_the_readme(command):
    assert command in README.read_text(encoding="utf-8")[:1500]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_linked_files_exist(document):
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith(("#", "mailto:"))]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_every_requirement_has_its_reason():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            package, pin, _ = line.partition("==")
            if line and not line.startswith(("#", "-r ")):
                assert pin, f"{line} in {path.name} is not pinned"
                assert f"| {package} |" in text


@pytest.fixture(scope="module")
def tracked():
    """Files that git tracks, with their blob hash."""
    try:
        listing = subprocess.run(["git", "ls-files", "-s", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    rows = [row.split("\t") for row in listing.stdout.decode().split("\0") if row]
    return {path: head.split()[1] for head, path in rows if (ROOT / path).is_file()}


@pytest.mark.process
def test_pictures_in_the_repository_are_screenshots(tracked):
    pictures = [path for path in tracked if Path(path).suffix.lower() in PICTURES]
    assert [path for path in pictures if not path.startswith(("docs/screenshots/", OLD_WORKSPACE))] == []


@pytest.mark.process
def test_nothing_of_the_shared_data_is_tracked(tracked, shared_data):
    sizes = {(ROOT / path).stat().st_size for path in tracked} - {0}
    hashes = set(tracked.values())
    copied = [path.name for path in shared_data.rglob("*") if is_copy(path, sizes, hashes)]
    assert copied == []


def is_copy(path, sizes, hashes):
    if not path.is_file() or path.stat().st_size not in sizes:
        return False
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() in hashes


@pytest.mark.process
def test_no_path_of_one_machine_is_tracked(tracked):
    found = []
    for path in tracked:
        data = (ROOT / path).read_bytes()
        if b"\0" not in data[:8000]:
            found += [(path, part) for part in MACHINE_PATHS if part.encode() in data]
    assert found == []


@pytest.mark.process
def test_large_files_are_models_only(tracked):
    large = [path for path in tracked if (ROOT / path).stat().st_size > 1_000_000]
    assert [path for path in large if not path.startswith(("models/", OLD_WORKSPACE))] == []
    assert [path for path in large if (ROOT / path).stat().st_size > 15_000_000] == []


def test_the_page_on_copies_quotes_the_measured_figures():
    text = " ".join((ROOT / "docs" / "copies.md").read_text(encoding="utf-8").split())
    measured = {name: json.loads((ROOT / "docs" / "measured" / f"{name}.json").read_text()) for name in FIGURES}
    train, test = measured["copies"]["train"], measured["copies"]["test"]
    touched = next(one for one in measured["copies"]["leaks"]["touched"] if one["set"] == "TEST")
    shipped = measured["classifier"]["shipped_test"]
    honest, leaky = (one["accuracy"] for one in measured["leaky_split"]["splits"].values())
    quoted = [
        f"{train['images']:,} images, made from {train['photographs']} photographs",
        f"finds {train['groups']} source cells",
        f"{test['images']:,} images show {test['groups']} cells",
        "({:.3f} to {:.3f})".format(*shipped["plain_interval"]),
        "between {:.3f} and {:.3f}".format(*shipped["interval"]),
        f"{touched['source_cells_touched']} cells of TEST are in TRAIN",
        f"{touched['images_touched']} test images ({touched['share_of_images']:.1%})".replace("%)", " %)"),
        f"the accuracy is {leaky:.3f}",
        f"it is {honest:.3f}",
        f"In pbc {measured['copies']['pbc']['joined_pairs']} pairs were joined",
    ]
    assert [part for part in quoted if part not in text] == []

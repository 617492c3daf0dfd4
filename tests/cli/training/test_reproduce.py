"""A recipe taught on an honest and on a leaky split, its honest figures, and going on where it was stopped."""

import json
from dataclasses import replace

import pytest

from bloodcell.cli.main import main
from bloodcell.cli.training.reproduce import reproduce
from bloodcell.training.specs.recipes import HONEST, LEAKY, RECIPES, Recipe, get_recipe
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC, write_cells

pytestmark = FOREIGN_WARNINGS


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.usefixtures("without_graphs")
def test_both_splits_are_taught_and_judged_over_source_cells(workspace, capsys):
    data_dir = write_cells(workspace / "data")
    chosen = Recipe("tiny", "A tiny net", "nothing", "much", {"tiny net": replace(SPEC, name="tiny")})
    out = workspace / "out"
    out.mkdir()
    honest, leaky = reproduce(chosen, data_dir, out)
    assert (honest["split"], leaky["split"]) == (HONEST, LEAKY)
    assert honest["protocol"] == "fold 0 of 3 held out, by source cell or patient"
    assert leaky["protocol"] == "fold 0 of 3 held out, by single images"
    # Two photographs of each cell: kept together they are half as many cells as images, at random nearly as many.
    assert honest["images"] == 2 * honest["source_cells"]
    assert leaky["source_cells"] > leaky["images"] / 2
    assert json.loads((out / "reproduced.json").read_text())["runs"] == [honest, leaky]
    written = (out / "tiny" / "model.onnx").stat().st_mtime_ns
    assert reproduce(chosen, data_dir, out) == [honest, leaky]
    assert (out / "tiny" / "model.onnx").stat().st_mtime_ns == written
    capsys.readouterr()


def test_recipes_are_listed_and_named(workspace, capsys):
    assert main(["reproduce", "list"]) == 0
    told = capsys.readouterr().out
    assert all(one.name in told for one in RECIPES)
    assert main(["reproduce", "alchemy"]) == 1
    assert "There is no recipe 'alchemy'. Recipes: malaria, cnn" in capsys.readouterr().err
    assert main(["reproduce", "cnn", "--data", str(workspace / "none")]) == 1
    assert "There is no data folder" in capsys.readouterr().err


@pytest.mark.parametrize("one", RECIPES, ids=lambda one: one.name)
def test_the_leaky_run_differs_in_the_split_alone(one):
    runs = get_recipe(one.name).list_runs()
    assert len({spec.name for spec in runs.values()}) == len(runs) == 2 * len(one.variants)
    for name, honest in one.variants.items():
        leaky = runs[name, LEAKY]
        assert {source.groups for source in leaky.sources} == {"each"}
        assert all(source.groups != "each" for source in honest.sources)
        same = [
            getattr(honest, field) == getattr(leaky, field) for field in ("model", "epochs", "seed", "augment", "fold")
        ]
        assert all(same)

"""Settings of trials, the rule of convergence on made histories, and the spread by hand."""

import math
from dataclasses import replace

import pytest

from bloodcell.core.errors import SpecError
from bloodcell.training.specs.trials_spec import (
    TrialsSpec,
    compute_min_balanced,
    describe_convergence_rule,
    has_converged,
    summarise_spread,
)
from tests.training.tiny_run import SPEC


def test_the_spread_by_hand():
    """0.7, 0.8, 0.9: mean 0.8, squares 0.01 + 0 + 0.01 over 2 = 0.01, sd 0.1."""
    assert summarise_spread([0.7, 0.9, 0.8]) == {"n": 3, "mean": 0.8, "sd": 0.1, "min": 0.7, "max": 0.9}
    assert summarise_spread([0.5]) == {"n": 1, "mean": 0.5, "sd": None, "min": 0.5, "max": 0.5}
    assert summarise_spread([None, 1.0, 2.0]) == {"n": 2, "mean": 1.5, "sd": 0.7071, "min": 1.0, "max": 2.0}
    assert summarise_spread([None])["mean"] is None


def test_a_quarter_of_the_way_from_chance():
    """Four classes: 0.25 + 0.75 / 4 = 0.4375; two: 0.5 + 0.5 / 4 = 0.625."""
    assert compute_min_balanced(4) == pytest.approx(0.4375)
    assert compute_min_balanced(2) == pytest.approx(0.625)
    assert "0.4375" in describe_convergence_rule(4)


@pytest.mark.parametrize(
    ("balanced", "losses", "converged"),
    [
        (0.9, [1.4, 0.8, 0.3], True),
        (0.4375, [1.0, 0.9], True),  # both just reached
        (0.43, [1.4, 0.8, 0.3], False),  # predicts nearly always the same class
        (0.9, [1.0, 0.91], False),  # no better than at the start
        (0.9, [1.4, 0.3, 1.4], False),  # and lost it again
        (0.9, [1.4], False),  # one epoch tells nothing
        (0.9, [1.4, math.nan], False),
        (math.nan, [1.4, 0.3], False),
        (0.9, [], True),  # not trained in epochs
    ],
)
def test_the_rule_of_convergence(balanced, losses, converged):
    assert has_converged(balanced, losses, n_classes=4) is converged


def test_trials_are_read_back_as_they_were_written():
    spec = TrialsSpec(replace(SPEC, seed=4), 3)
    assert TrialsSpec.from_json(spec.to_json()) == spec
    assert spec.seeds == [4, 5, 6]


@pytest.mark.parametrize(("n", "allowed"), [(1, "from 2 to 200"), (201, "from 2 to 200"), (2.5, "a whole number")])
def test_a_number_of_trials_that_is_none(n, allowed):
    with pytest.raises(SpecError, match=f"`n` must be {allowed}. Received: {n}"):
        TrialsSpec(SPEC, n)


def test_trials_need_held_out_cells():
    with pytest.raises(SpecError, match=r"must be 0 or more.. Received: -1, each in turn"):
        TrialsSpec(replace(SPEC, fold=-1), 3)


def test_trials_are_made_of_their_own_file_or_of_a_training(tmp_path):
    file = tmp_path / "spec.json"
    file.write_text(TrialsSpec(SPEC, 3).to_json())
    assert TrialsSpec.read(file) == TrialsSpec(SPEC, 3)
    file.write_text(SPEC.to_json())
    assert TrialsSpec.read(file) == TrialsSpec(SPEC, 10)
    with pytest.raises(SpecError, match=r"The spec of trials .*none\.json cannot be read: No such file"):
        TrialsSpec.read(tmp_path / "none.json")

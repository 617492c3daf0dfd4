"""What the runs of a job are called, and what they came to so far."""

from types import SimpleNamespace

import pytest

from bloodcell.ui.train.results.runs import describe_run, summarise_runs


def job(kind, **spec):
    return SimpleNamespace(kind=kind, spec=spec)


@pytest.mark.parametrize(
    ("kind", "spec", "fit", "name"),
    [
        ("trials", {}, 3, "trial 3"),
        ("search", {}, 3, "trial 3"),
        ("kfold", {"fold": 0, "folds": 3}, 2, "fold 2"),
        ("train", {"fold": -1, "folds": 3}, 3, "fold 3"),
        ("train", {"fold": -1, "folds": 3}, 4, "run 4"),  # the model on all, after the folds
        ("train", {"fold": 0, "folds": 3}, 1, "run 1"),
        ("masks", {}, 1, "run 1"),
    ],
)
def test_a_run_is_called_by_its_kind(kind, spec, fit, name):
    assert describe_run(job(kind, **spec), fit) == name


def test_trials_so_far():
    rows = [{"accuracy": "0.25", "converged": "False"}, {"accuracy": "0.5", "converged": "True"}, {"accuracy": ""}]
    assert summarise_runs(rows, job("trials")) == "So far 3 trials, 1 converged, mean accuracy 37.5 %."
    assert summarise_runs(rows[:1], job("trials")) == "So far 1 trial, 0 converged, mean accuracy 25.0 %."


def test_a_search_so_far_names_the_best_of_its_monitored_metric():
    states = (("done", 0.5), ("given up", ""), ("broken off", 0.1), ("diverged", ""), ("done", 0.7))
    rows = [{"state": state, "log_loss": str(loss), "accuracy": str(loss)} for state, loss in states]
    text = "So far 4 trials: 2 ran to the end, 1 pruned, 1 failed; best "
    assert summarise_runs(rows, job("search", base={"monitor": "val_loss"})) == f"{text}log loss 0.500."
    assert summarise_runs(rows, job("search", base={"monitor": "val_accuracy"})) == f"{text}accuracy 0.700."


@pytest.mark.parametrize("kind", ["train", "kfold", "masks", "search", "trials"])
def test_nothing_to_say_of_no_rows(kind):
    assert summarise_runs([], job(kind, base={"monitor": "val_loss"})) == ""

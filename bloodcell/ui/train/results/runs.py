"""The runs of one job in words: what each is called, and the results of those that have ended so far."""

from collections.abc import Mapping, Sequence

from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.kinds.trials import TRIALS
from bloodcell.jobs.store import Job
from bloodcell.plots.experiments import METRIC_TITLES
from bloodcell.reports.numbers import format_count, format_number, format_percent
from bloodcell.training.output.result_folder import BROKEN_OFF, DONE, GIVEN_UP
from bloodcell.training.specs.search_spec import MONITORED_METRICS


def describe_run(job: Job, fit: int) -> str:
    """Name a run of a job by its number: ``trial 3``, ``fold 2``, ``run 1``."""
    holds_out_each = job.kind == TRAIN.name and job.spec["fold"] < 0  # then a model on all
    is_fold = job.kind == KFOLD.name or (holds_out_each and fit <= job.spec["folds"])
    word = "trial" if job.kind in (TRIALS.name, SEARCH.name) else "fold" if is_fold else "run"
    return f"{word} {fit}"


def summarise_runs(rows: Sequence[Mapping[str, str]], job: Job) -> str:
    """Summarise the trials that have ended in a sentence; "" for none and for jobs without trials.

    Parameters
    ----------
    rows : sequence of dict
        As `experiments.results.trials.read_trials_so_far` returns them.
    job : Job
    """
    if job.kind == TRIALS.name and rows:
        return _summarise_trials(rows)
    ended = [row for row in rows if row.get("state") != BROKEN_OFF]
    return _summarise_search(ended, job.spec["base"]["monitor"]) if job.kind == SEARCH.name and ended else ""


def _summarise_trials(rows: Sequence[Mapping[str, str]]) -> str:
    converged = sum(row.get("converged") == "True" for row in rows)
    accuracies = [float(row["accuracy"]) for row in rows if row.get("accuracy")]
    mean = format_percent(sum(accuracies) / len(accuracies)) if accuracies else "-"
    return f"So far {format_count(len(rows), 'trial')}, {converged} converged, mean accuracy {mean}."


def _summarise_search(rows: Sequence[Mapping[str, str]], monitor: str) -> str:
    metric, direction = MONITORED_METRICS[monitor]
    states = [row.get("state") for row in rows]
    others = len(states) - states.count(DONE) - states.count(GIVEN_UP)
    values = [float(row[metric]) for row in rows if row.get(metric)]
    summary = f"So far {format_count(len(rows), 'trial')}: {states.count(DONE)} ran to the end, {states.count(GIVEN_UP)} pruned"
    summary += f", {others} failed" if others else ""
    if values:
        best = min(values) if direction == "minimize" else max(values)
        summary += f"; best {METRIC_TITLES[metric].lower()} {format_number(best)}"
    return f"{summary}."

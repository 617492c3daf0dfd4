"""The runs of one job in words: what each is called, and what those that have ended came to so far."""

from collections.abc import Mapping, Sequence

from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.kinds.trials import TRIALS
from bloodcell.jobs.store import Job
from bloodcell.plots.experiments import METRIC_TITLES
from bloodcell.reports.numbers import format_count
from bloodcell.training.output.result_folder import BROKEN_OFF, DONE, GIVEN_UP
from bloodcell.training.specs.search_spec import MONITORED_METRICS
from bloodcell.ui.train.results.wording import format_number, format_percent


def describe_run(job: Job, fit: int) -> str:
    """What a job's run of that number is called: ``trial 3``, ``part 2``, ``run 1``."""
    is_in_turn = job.kind == TRAIN.name and job.spec["fold"] < 0  # then a model of all
    is_by_parts = job.kind == KFOLD.name or (is_in_turn and fit <= job.spec["folds"])
    word = "trial" if job.kind in (TRIALS.name, SEARCH.name) else "part" if is_by_parts else "run"
    return f"{word} {fit}"


def summarise_runs(rows: Sequence[Mapping[str, str]], job: Job) -> str:
    """What the trials that have ended came to, in a sentence; "" for none and for jobs without trials.

    Parameters
    ----------
    rows : as `experiments.results.read.read_trials_so_far` gives them
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
    words = f"So far {format_count(len(rows), 'trial')}: {states.count(DONE)} ran to the end, {states.count(GIVEN_UP)} given up"
    words += f", {others} failed" if others else ""
    if values:
        best = min(values) if direction == "minimize" else max(values)
        words += f"; best {METRIC_TITLES[metric].lower()} {format_number(best)}"
    return f"{words}."

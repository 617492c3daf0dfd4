"""The result of a search: the best settings, how they were found, and one click to train with them."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.search import SearchResult, read_search
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.store import Job
from bloodcell.plots.experiments import METRIC_TITLES, format_setting, plot_search_progress, plot_setting_effect
from bloodcell.reports.numbers import format_count, format_number, format_percent
from bloodcell.training.output.result_folder import DONE
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.train.job_request import make_slug
from bloodcell.ui.train.repeats_form import SETTING_WORDS, VALUE_WORDS
from bloodcell.ui.train.results.wording import show_remarks, show_runs

_COLUMNS = 3


def show(job: Job) -> Job | None:
    """Show what a finished search found.

    Returns
    -------
    Job or None
        The job that trains with the best settings, once its button was pressed.

    Raises
    ------
    RunError, SpecError
        If the folder of the metrics is gone or damaged.
    """
    result = read_search(load_settings().runs_dir / job.result)
    best = TrainSpec.from_json(result.spec)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.markdown(f"**The best settings: trial {result.best['trial']} of {len(result.trials)}**")
        st.dataframe(_make_settings_table(result), hide_index=True, key=f"train-best-{job.id}")
        st.caption(_describe_metrics(result))
        new_job = _ask_training(job, best, result.spec)
        show_remarks(result.remarks, result.leaky)
    right.plotly_chart(
        plot_search_progress(result.trials, result.metric, is_minimised=result.is_minimised),
        config=NO_MODEBAR,
        key=f"train-search-{job.id}",
        alt="Metric of every trial, and the best so far",
    )
    st.caption("Each setting against the metric. A dot is a trial that ran to its end; the star is the best.")
    columns = st.columns(_COLUMNS, gap="medium")
    for index, (name, values) in enumerate(result.space.items()):
        columns[index % _COLUMNS].plotly_chart(
            plot_setting_effect(
                result.trials, name, SETTING_WORDS.get(name, name), result.metric, result.best["trial"], values
            ),
            config=NO_MODEBAR,
            key=f"train-search-{job.id}-{name}",
            alt=f"{SETTING_WORDS.get(name, name)} of every trial against its metric",
        )
    with st.expander("Every trial", icon=":material/table:"):
        table = result.trials.assign(**{name: result.trials[name].map(format_value) for name in result.space})
        show_runs(table, f"train-search-table-{job.id}", SETTING_WORDS)
    return new_job


def format_value(value: Any) -> str:
    """Format a value of a searched setting as the form shows it."""
    return VALUE_WORDS.get(value, format_setting(value)) if isinstance(value, str) else format_setting(value)


def _make_settings_table(result: SearchResult) -> pd.DataFrame:
    """Each searched setting with its best value and, where it is known, its importance."""
    table = pd.DataFrame(
        {
            "Setting": [SETTING_WORDS.get(name, name) for name in result.space],
            "Best": [format_value(result.best[name]) for name in result.space],
        }
    )
    if result.importance:
        table["Importance"] = [f"{result.importance.get(name, 0):.0%}" for name in result.space]
    return table


def _describe_metrics(result: SearchResult) -> str:
    ended = (result.trials["state"] == DONE).sum()
    best = result.best
    return (
        f"Accuracy {format_percent(best['accuracy'])}, balanced accuracy {format_percent(best['balanced_accuracy'])}, log loss "
        f"{format_number(best['log_loss'])}. Monitored metric: {METRIC_TITLES[result.metric].lower()}. "
        f"{ended} of {format_count(len(result.trials), 'trial')} ran to the end."
    )


def _ask_training(job: Job, best: TrainSpec, text: str) -> Job | None:
    """Offer to train with the best settings, and to download them."""
    new = TRAIN.make_job(best, Path(job.data_dir), state.get_initials())
    new_job = None
    with st.container(horizontal=True, gap="small"):
        if st.button(
            "Train with the best settings", type="primary", icon=":material/model_training:", key="train-with-best"
        ):
            new_job = resources.get_job_queue().submit(new)
        st.download_button(
            "Download",
            text,
            f"{make_slug(new.name)}.json",
            "application/json",
            icon=":material/download:",
            key="train-best-download",
            on_click="ignore",
        )
    return new_job

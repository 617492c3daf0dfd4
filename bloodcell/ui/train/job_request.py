"""A job asked for on the Train page: its button, what is wrong with its settings, and its settings as a file."""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bloodcell.core.errors import BloodcellError
from bloodcell.jobs.kinds.adapt import ADAPT
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.masks import MASKS
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.kinds.trials import TRIALS
from bloodcell.jobs.store import Job, NewJob
from bloodcell.networks.registry import BY_SVM, get_network
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.messages import escape_md, show_errors

# Key of the choice of what to train, and the choices that other parts of the app link to.
WAY_KEY = "train-how"
ADAPT_WAY, MASKS_WAY = "Adapt a model", "U-Net for masks"


@dataclass(frozen=True)
class JobRequest:
    """A job that the form describes and the button submits.

    Attributes
    ----------
    place : DeltaGenerator
        Where its button goes.
    make : callable
        Makes the job; raises SpecError or DatasetError where the settings make no sense.
    verb : str, default "Train"
        Label of the button.
    """

    place: DeltaGenerator
    make: Callable[[], NewJob]
    verb: str = "Train"


def offer_submit(request: JobRequest) -> Job | None:
    """Show the button, or what is wrong with the settings, and the settings as a file; return the job once submitted."""
    problem, new_job = "", None
    try:
        new_job = request.make()
    except BloodcellError as error:
        problem = str(error)
    with request.place:
        is_clicked = st.button(
            request.verb, type="primary", icon=":material/model_training:", key="train-go", disabled=new_job is None
        )
        if new_job is not None and (length := _describe_length(new_job)):
            st.caption(length)
        if problem:
            st.error(escape_md(problem), icon=":material/error:")
        if is_clicked and new_job is not None:
            with show_errors():
                return resources.get_job_queue().submit(new_job)
    if new_job is not None:
        _show_spec(new_job)
    return None


def make_slug(name: str) -> str:
    """Turn a name into part of a file name: lower-case letters, digits and hyphens, 40 at most.

    Examples
    --------
    >>> make_slug("Drawn: cells/1")
    'drawn-cells-1'
    >>> make_slug("?")
    'model'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "model"


def format_command(new: NewJob, file: str) -> str:
    """Write the command that queues a job.

    Parameters
    ----------
    new : NewJob
    file : str
        File with the settings of the job.
    """
    kind = [] if new.kind == TRAIN.name else ["--kind", new.kind]
    return shlex.join(["python", "-m", "bloodcell", "jobs", "submit", file, *kind, "--data", new.data_dir])


def _describe_length(new: NewJob) -> str:
    """Length of a job in runs and epochs; "" where the form says so itself."""
    if new.kind in (ADAPT.name, MASKS.name):
        return ""
    train = new.spec.get("train") or new.spec.get("base") or new.spec
    runs_per_model = train["folds"] + 1 if train["fold"] < 0 else 1
    runs = {TRIALS.name: new.spec.get("n"), KFOLD.name: train["folds"], SEARCH.name: new.spec.get("trials")}.get(
        new.kind
    ) or runs_per_model
    if get_network(train["model"]).trained_by == BY_SVM:
        return f"{format_count(runs, 'run')}; this model is trained in one step, without epochs."
    length = f"{format_count(runs, 'run')} of {format_count(train['epochs'], 'epoch')}"
    length += f", {runs * train['epochs']:,} epochs in all" if runs > 1 else ""
    if new.kind == SEARCH.name:
        length += "; fewer, as poor trials are pruned"
    elif train["patience"]:
        length += "; fewer if it stops early"
    return f"{length}."


def _show_spec(new: NewJob) -> None:
    """Show the settings as a file to download, and the command that submits it."""
    with st.expander(
        "All settings as a file", icon=":material/data_object:", key="train-spec", on_change="rerun"
    ) as expander:
        if not expander.open:
            return
        text, file = json.dumps(new.spec, indent=2), f"{make_slug(new.name)}.json"
        st.caption("To submit the same job on the command line with this file:")
        st.code(format_command(new, file), language=None, wrap_lines=True)
        st.download_button(
            "Download",
            text,
            file,
            "application/json",
            icon=":material/download:",
            key="train-spec-download",
            on_click="ignore",
        )
        st.code(text, language="json", height=320)

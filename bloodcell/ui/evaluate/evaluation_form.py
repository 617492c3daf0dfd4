"""Ask for an evaluation: which model, on which labelled images; and follow the jobs that do it."""

import re

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.label_errors import read_label_errors
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET, SourceSpec, format_source_name
from bloodcell.evaluation.selection import count_part_images
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.jobs import store
from bloodcell.jobs.kinds.evaluate import EVALUATE
from bloodcell.jobs.store import Job
from bloodcell.model_store.library import ModelInfo, list_models
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.ui.evaluate.evaluation_library import schedule_opening
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.train import data_form

ALL_PARTS = ("", "")
_FORM_KEY, _COLLAPSE_KEY = "evaluation-new", "evaluation-opened"
_MODEL_KEY, _DATASET_KEY = "evaluation-model", "evaluation-dataset"
# What the form keeps in the address: with these the page opens with the form, as it was left.
_URL_KEYS = {_MODEL_KEY, _DATASET_KEY}
NO_DATASET_TEXT = (
    "There is no dataset to evaluate a model on yet. Add a folder of labelled images on the Datasets page; then you can "
    "evaluate any model of the model library on it here."
)


def ask_evaluation(is_first: bool) -> None:
    """Show the form that asks for an evaluation and submits it as a job."""
    if is_first:
        st.session_state[_FORM_KEY] = True  # nothing else is on the page
    elif st.session_state.pop(_COLLAPSE_KEY, False):
        st.session_state[_FORM_KEY] = False  # the result comes first
    box = st.expander(
        "Evaluate a model",
        icon=":material/add_chart:",
        expanded=bool(_URL_KEYS & set(st.query_params)),
        key=_FORM_KEY,
        on_change="rerun",
    )
    with box:
        if not box.open:
            return  # filling the lists reads the library again, which takes a while where a dataset has many files
        models = list_models(load_settings())
        if not models:
            st.info("There is no model in the model library. Train or import one.", icon=":material/inventory_2:")
            return
        if data_form.warn_if_empty(NO_DATASET_TEXT):
            return
        with show_errors():
            _show_form(models)


def _show_form(models: list[ModelInfo]) -> None:
    left, middle, right = st.columns(3, gap="medium")
    with left:
        names = [model.name for model in models]
        name = st.selectbox("Model", names, key=_MODEL_KEY, bind="query-params")
        model = models[names.index(name)]
        st.caption(f"Classes: {escape_md(', '.join(map(format_label, model.class_names)))}.")
    with middle:
        dataset = data_form.choose_dataset(key=_DATASET_KEY)
        if dataset is None:
            return
        split, part = _ask_part(dataset)
    with right:
        groups = data_form.ask_groups(dataset)
    marks = read_label_errors(dataset)
    leaves_out = bool(marks) and st.checkbox(
        f"Exclude {format_count(len(marks), 'image marked as a label error', 'images marked as label errors')}",
        True,
        key="evaluation-leave-out",
    )
    compares = st.checkbox(
        "Search for near copies of the training images",
        True,
        key="evaluation-compares",
        help="Compares pixels with those training images of the model that are in a dataset here. This takes minutes for "
        "thousands of images.",
    )
    source = SourceSpec(
        name=format_source_name(dataset.name),
        path=dataset.id,
        layout=DATASET,
        groups=groups,
        split=split,
        unlisted="skip",
    )
    slug = re.sub(r"[^a-z0-9]+", "-", f"{model.name}-on-{dataset.name}-{part}".lower()).strip("-")[:70]
    spec = EvaluateSpec(slug, model.name, source, part=part, leaves_out_marked=leaves_out, compares_pixels=compares)
    if st.button("Evaluate", type="primary", icon=":material/query_stats:", key="evaluation-go"):
        resources.get_job_queue().submit(EVALUATE.make_job(spec, load_settings().home, state.get_initials()))
        st.rerun()


def _ask_part(dataset: Dataset) -> tuple[str, str]:
    """Ask which of the images: (split, part), `ALL_PARTS` for all."""
    parts = count_part_images(dataset)
    options = [
        *([("", "test")] if ("", "test") in parts else []),
        ALL_PARTS,
        *(choice for choice in parts if choice != ("", "test")),
    ]

    def describe_part(choice: tuple[str, str]) -> str:
        if choice == ALL_PARTS:
            return f"all {format_count(dataset.n_images, 'image')}"
        split, part = choice
        return f"{part} ({parts[choice]:,}), {f'split {split}' if split else 'original split'}"

    return st.selectbox("Images", options, format_func=describe_part, key=f"evaluation-part-{dataset.id}")


def show_pending_jobs() -> None:
    """Show evaluations that wait, run, or ended without a result; refreshed every second while any is active."""
    is_busy = any(not job.is_over for job in _list_pending_jobs())
    st.fragment(_refresh_pending_jobs, run_every=1 if is_busy else None)(is_busy)


def _list_pending_jobs() -> list[Job]:
    """Return the evaluations that have no result yet, newest first."""
    queue = resources.get_job_queue()
    queue.dispatch()
    return [job for job in store.list_jobs(queue.db) if job.kind == EVALUATE.name and job.status != store.DONE]


def _refresh_pending_jobs(was_busy: bool) -> None:
    jobs, queue = _list_pending_jobs(), resources.get_job_queue()
    watched = st.session_state.setdefault("evaluation-watched", set())
    now = {job.id for job in jobs if not job.is_over}
    st.session_state["evaluation-watched"] = now
    finished = [job for job in store.list_jobs(queue.db, (store.DONE,)) if job.id in watched - now]
    if finished:
        schedule_opening(finished[0].result)
        st.session_state[_COLLAPSE_KEY] = True
    if finished or bool(now) != was_busy:
        st.rerun()
    for job in jobs:
        _show_job(job)


def _show_job(job: Job) -> None:
    queue = resources.get_job_queue()
    with st.container(border=True, key=f"evaluation-job-{job.id}"):
        words, button = st.columns([6, 1.4], vertical_alignment="center")
        with words:
            st.markdown(f"**{escape_md(job.title)}**")
            if job.status == store.QUEUED:
                st.caption("Waiting for the job before it.")
            elif job.status == store.RUNNING:
                progress = job.progress
                share = progress["done"] / progress["total"] if progress.get("total") else 0.0
                step = (
                    f"{progress['source']}, {progress['done']:,} of {progress['total']:,}"
                    if progress.get("total", 0) > 1
                    else "starting"
                )
                st.progress(min(1.0, share), "Stopping …" if job.cancel_asked else f"{escape_md(step.capitalize())} …")
            elif job.status == store.FAILED:
                st.error(escape_md(job.error), icon=":material/error:")
            else:
                st.caption(f"{job.status.capitalize()}. No results were saved.")
        with button, show_errors():
            if job.is_over:
                if st.button("Try again", key=f"evaluation-retry-{job.id}", icon=":material/replay:", width="stretch"):
                    queue.retry(job.id)
                    st.rerun()
                if st.button("Dismiss", key=f"evaluation-dismiss-{job.id}", icon=":material/close:", width="stretch"):
                    queue.delete(job.id)
                    st.rerun()
            elif st.button(
                "Cancel",
                key=f"evaluation-cancel-{job.id}",
                icon=":material/stop:",
                width="stretch",
                disabled=bool(job.cancel_asked),
            ):
                queue.cancel(job.id)
                st.rerun()

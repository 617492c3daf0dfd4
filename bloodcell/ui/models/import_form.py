"""Loading a model from elsewhere: its file is inspected, what it does not say is asked, and its job followed."""

import io
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.core.settings import load_settings
from bloodcell.jobs import store
from bloodcell.jobs.kinds.load import LOAD, store_model_file
from bloodcell.jobs.queue import check_result_name
from bloodcell.jobs.store import Job
from bloodcell.jobs.task import LOADING
from bloodcell.model_import.load_spec import KERAS, Format, LoadSpec, detect_format, make_model_name, parse_class_names
from bloodcell.model_store.inspection.keras_archive import KerasFile, inspect_keras
from bloodcell.model_store.inspection.keras_sizes import check_class_names
from bloodcell.model_store.io_spec import CELL, IMAGE, Input
from bloodcell.model_store.model_zip import PackedModel, inspect_model_zip
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.shared.model_choice import show_model_link

_JOB_PARAM = "load"
_INPUTS: dict[Input, str] = {CELL: "a crop of one cell", IMAGE: "the whole image"}
_LEVELS = {255: "0 to 255, or the network scales them itself", 1: "0 to 1", -1: "-1 to 1"}


@dataclass(frozen=True)
class _Upload:
    """A file that was inspected and not refused."""

    data: bytes
    file_name: str
    format: Format
    content: KerasFile | PackedModel


class _Details(TypedDict):
    """What a `LoadSpec` says beside the file; `levels` is missing for a zipped model, which says it itself."""

    class_names: tuple[str, ...]
    input: Input
    levels: NotRequired[int]


def ask_import() -> None:
    """Ask for a file and what it does not say itself, start its job, and show the state of the last one started here."""
    with st.expander(
        "Load a model", icon=":material/upload_file:", expanded=bool(st.query_params.get(_JOB_PARAM)), key="models-load"
    ):
        st.caption(
            "A network trained elsewhere and saved by Keras (.keras), or a model downloaded from this or another Bloodcell "
            "(.zip). The file is inspected first; code in it is never run."
        )
        with show_errors():
            _show_last_job()
        with show_errors():
            upload = _ask_file()
            job = None if upload is None else _ask_details(upload)
            if job is not None:
                st.query_params[_JOB_PARAM] = str(job.id)
                state.empty_uploaders()
                st.rerun()


def _ask_file() -> _Upload | None:
    """Ask for a file and inspect it; None until there is one, ModelError where it is refused."""
    file = st.file_uploader(
        "Keras file (.keras) or zipped model (.zip)", key=f"models-file-{state.get_uploader_number()}"
    )
    if file is None:
        return None
    data, file_format = file.getvalue(), detect_format(file.name)
    content = inspect_keras(io.BytesIO(data)) if file_format == KERAS else inspect_model_zip(io.BytesIO(data))
    return _Upload(data, file.name, file_format, content)


def _ask_details(upload: _Upload) -> Job | None:
    """Ask for what the file does not say, and start its job; None until the button is pressed."""
    content = upload.content
    if isinstance(content, PackedModel):
        classes = ", ".join(map(format_label, content.class_names))
        details: _Details = {"class_names": content.class_names, "input": cast(Input, content.input)}
        st.markdown(
            f"**{escape_md(content.title)}**  \nClasses: {escape_md(classes)}. Input: {_INPUTS[details['input']]}."
        )
        default = content.name or make_model_name(upload.file_name)
    else:
        n_outputs = "" if content.n_outputs is None else f", {format_count(content.n_outputs, 'output')}"
        st.markdown(
            f"Input of {content.height_px} x {content.width_px} px{n_outputs}, {format_count(content.n_layers, 'layer')}, "
            f"{format_count(content.n_parameters, 'parameter')}."
        )
        details, default = _ask_keras_details(upload.file_name, content), make_model_name(upload.file_name)
    name = st.text_input(
        "Name in the model library",
        default,
        max_chars=80,
        key=f"models-load-name-{upload.file_name}",
        help="Letters, digits, '.', '_' and '-'. If the name is taken, a number is added.",
    ).strip()
    problem = _find_problem(name, details["class_names"], content)
    is_pressed = st.button(
        "Load", type="primary", icon=":material/upload_file:", key="models-load-go", disabled=bool(problem)
    )
    if problem:
        st.caption(escape_md(problem))
    if not is_pressed:
        return None
    settings = load_settings()
    path = store_model_file(upload.data, upload.file_name, settings)
    spec = LoadSpec(name, str(path), upload.format, upload.file_name, **details)
    return resources.get_job_queue().submit(LOAD.make_job(spec, settings.home, state.get_initials()))


def _ask_keras_details(file_name: str, content: KerasFile) -> _Details:
    left, right = st.columns(2, gap="medium")
    text = left.text_area(
        "Class names, in the order of the network's outputs",
        placeholder="EOSINOPHIL, LYMPHOCYTE, MONOCYTE, NEUTROPHIL",
        key=f"models-load-classes-{file_name}",
        help="One per line, or separated by commas. A Keras file does not hold them, and in another order every cell would "
        "get a wrong class. For a network with one output, the class that 0 stands for comes first.",
    )
    with right:
        input_kind = st.radio("Network input", list(_INPUTS), format_func=_INPUTS.__getitem__, key="models-load-input")
        levels = st.radio(
            "Pixel values that it was trained on",
            list(_LEVELS),
            format_func=_LEVELS.__getitem__,
            key="models-load-levels",
            help="The range of the pixel values when images went into the network. With another range its predictions are "
            "worthless.",
        )
        if content.scales_levels:
            st.caption("The network has a layer that scales its input, so 0 to 255 is probably correct.")
    st.info(
        "No thresholds were measured for this network: every cell will be marked Check, none Confident or Unfamiliar.",
        icon=":material/visibility:",
    )
    return {"class_names": parse_class_names(text), "input": input_kind, "levels": int(levels)}


def _find_problem(name: str, class_names: tuple[str, ...], content: KerasFile | PackedModel) -> str:
    """Return why the file cannot be loaded yet, "" where it can."""
    try:
        if isinstance(content, KerasFile):
            if not class_names:
                return "Enter the class names."
            check_class_names(class_names, content.n_outputs)
        check_result_name(name)
    except BloodcellError as error:
        return str(error)
    return ""


def _show_last_job() -> None:
    """Show the job in the address, refreshed every second while it waits or runs."""
    job = _find_last_job()
    if job is not None:
        st.fragment(_refresh_job, run_every=None if job.is_over else 1)(job.is_over)


def _find_last_job() -> Job | None:
    job_id = st.query_params.get(_JOB_PARAM, "")
    if not job_id:
        return None
    queue = resources.get_job_queue()
    queue.dispatch()
    return next((job for job in store.list_jobs(queue.db) if str(job.id) == job_id and job.kind == LOAD.name), None)


def _refresh_job(was_over: bool) -> None:
    job = _find_last_job()
    if job is None or job.is_over != was_over:
        st.rerun()  # the whole page: there is one more model, or the job is gone
    if job.status == store.DONE:
        st.success(f"The model {escape_md(job.result)} is in the model library.", icon=":material/check:")
        with st.container(horizontal=True, gap="small"):
            show_model_link(job.result)
            st.page_link(
                "pages/models.py",
                label="Show its card",
                icon=":material/inventory_2:",
                query_params={"models-choice": job.result},
            )
    elif job.is_over:
        reason = job.error or "The loading was stopped."
        st.error(f"{escape_md(job.spec['file_name'])}: {escape_md(reason)}", icon=":material/error:")
    else:
        step = job.progress.get("step", "Starting") if job.progress.get("phase") == LOADING else "Waiting"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/hourglass_top: {escape_md(job.spec['file_name'])}: {escape_md(step)} …")
            if st.button("Cancel", icon=":material/stop:", key="models-load-cancel", disabled=bool(job.cancel_asked)):
                resources.get_job_queue().cancel(job.id)
                st.rerun()

"""Loading a model from elsewhere on the Models page: its file looked through, the rest asked, the job followed."""

import io
from dataclasses import dataclass

import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.core.settings import load_settings
from bloodcell.jobs import store
from bloodcell.jobs.kinds.load import LOAD
from bloodcell.jobs.model_files import store_model_file
from bloodcell.jobs.queue import check_result_name
from bloodcell.jobs.store import Job
from bloodcell.jobs.task import LOADING
from bloodcell.model_import.load_spec import KERAS, Format, LoadSpec, detect_format, make_model_name, parse_class_names
from bloodcell.model_store.inspection.keras_archive import KerasFile, inspect_keras
from bloodcell.model_store.inspection.keras_sizes import check_class_names
from bloodcell.model_store.io_spec import CELL, IMAGE
from bloodcell.model_store.model_zip import PackedModel, inspect_model_zip
from bloodcell.plots.theme import format_label
from bloodcell.ui.classify.upload_form import show_model_link
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.messages import escape_md, show_errors

_JOB_PARAM = "load"
_INPUTS = {CELL: "one found cell, cut out", IMAGE: "the whole picture"}
_LEVELS = {255: "0 to 255, or it scales them itself", 1: "0 to 1", -1: "-1 to 1"}


@dataclass(frozen=True)
class _Upload:
    """A file that was looked through and not refused."""

    data: bytes
    file_name: str
    format: Format
    inspected: KerasFile | PackedModel


def ask_import() -> None:
    """Ask for a file and what it cannot say itself, begin its job, and show where the last one begun here stands."""
    with st.expander(
        "Load a model", icon=":material/upload_file:", expanded=bool(st.query_params.get(_JOB_PARAM)), key="models-load"
    ):
        st.caption(
            "A network that was trained elsewhere and saved by Keras (.keras), or a model that was downloaded here or from "
            "another Bloodcell (.zip). The file is looked through first: code in it is never run."
        )
        with show_errors():
            _show_last_job()
        with show_errors():
            given = _ask_file()
            job = None if given is None else _ask_details(given)
            if job is not None:
                st.query_params[_JOB_PARAM] = str(job.id)
                state.empty_uploaders()
                st.rerun()


def _ask_file() -> _Upload | None:
    """The file, looked through; None until there is one. ModelError where it is refused."""
    file = st.file_uploader("A .keras file, or a .zip of a model", key=f"models-file-{state.get_uploader_number()}")
    if file is None:
        return None
    data, kind = file.getvalue(), detect_format(file.name)
    inspected = inspect_keras(io.BytesIO(data)) if kind == KERAS else inspect_model_zip(io.BytesIO(data))
    return _Upload(data, file.name, kind, inspected)


def _ask_details(given: _Upload) -> Job | None:
    """Ask for what the file does not say, and begin; None until the button is pressed."""
    inspected = given.inspected
    if isinstance(inspected, PackedModel):
        classes = ", ".join(map(format_label, inspected.class_names))
        st.markdown(
            f"**{escape_md(inspected.title)}**  \nClasses: {escape_md(classes)}. It takes {_INPUTS[inspected.input]}."
        )
        details: dict = {"class_names": inspected.class_names, "input": inspected.input}
        default = inspected.name or make_model_name(given.file_name)
    else:
        outputs_text = "" if inspected.n_outputs is None else f" and gives {inspected.n_outputs:,} numbers for each"
        st.markdown(
            f"It takes pictures of {inspected.height_px} x {inspected.width_px} px{outputs_text}; {inspected.n_layers:,} layers, "
            f"{inspected.n_parameters:,} weights."
        )
        details, default = _ask_keras_details(given, inspected), make_model_name(given.file_name)
    name = st.text_input(
        "Name on the shelf",
        default,
        max_chars=80,
        key=f"models-load-name-{given.file_name}",
        help="Letters, digits, '.', '_' and '-'. A number is added where the name is taken.",
    ).strip()
    problem = _find_problem(name, details["class_names"], inspected)
    wanted = st.button(
        "Load", type="primary", icon=":material/upload_file:", key="models-load-go", disabled=bool(problem)
    )
    if problem:
        st.caption(escape_md(problem))
    if not wanted:
        return None
    settings = load_settings()
    path = store_model_file(given.data, given.file_name, settings)
    spec = LoadSpec(name, str(path), given.format, given.file_name, **details)
    return resources.get_job_queue().submit(LOAD.make_job(spec, settings.home, state.get_initials()))


def _ask_keras_details(given: _Upload, inspected: KerasFile) -> dict:
    left, right = st.columns(2, gap="medium")
    text = left.text_area(
        "Class names, in the order of the network's outputs",
        placeholder="EOSINOPHIL, LYMPHOCYTE, MONOCYTE, NEUTROPHIL",
        key=f"models-load-classes-{given.file_name}",
        help="One a line, or with commas between them. A network saved by Keras does not hold them; in another order every "
        "cell would get a wrong name. Of a network with one output, the class that 0 means comes first.",
    )
    with right:
        input_kind = st.radio(
            "What the network takes", list(_INPUTS), format_func=_INPUTS.__getitem__, key="models-load-input"
        )
        levels = st.radio(
            "Levels that it was taught with",
            list(_LEVELS),
            format_func=_LEVELS.__getitem__,
            key="models-load-levels",
            help="As the pictures were when they went into the network. With others its answers are worthless.",
        )
        if inspected.scales_levels:
            st.caption("It has a layer that scales levels, so 0 to 255 is likely right.")
    st.info(
        "When this network can be trusted is not known, as nothing of that was measured: every cell will be marked Check, "
        "none Confident.",
        icon=":material/visibility:",
    )
    return {"class_names": parse_class_names(text), "input": input_kind, "levels": int(levels)}


def _find_problem(name: str, class_names: tuple[str, ...], inspected: KerasFile | PackedModel) -> str:
    """What keeps the file from being loaded, in a sentence; "" for nothing."""
    try:
        if isinstance(inspected, KerasFile):
            if not class_names:
                return "Its class names are needed."
            check_class_names(class_names, inspected.n_outputs)
        check_result_name(name)
    except BloodcellError as error:
        return str(error)
    return ""


def _show_last_job() -> None:
    """Show the loading in the address, once a second anew while it waits or runs."""
    job = _find_last_job()
    if job is not None:
        st.fragment(_refresh_job, run_every=None if job.is_over else 1)(job.is_over)


def _find_last_job() -> Job | None:
    given = st.query_params.get(_JOB_PARAM, "")
    if not given:
        return None
    queue = resources.get_job_queue()
    queue.dispatch()
    return next((job for job in store.list_jobs(queue.db) if str(job.id) == given and job.kind == LOAD.name), None)


def _refresh_job(was_over: bool) -> None:
    job = _find_last_job()
    if job is None or job.is_over != was_over:
        st.rerun()  # the whole page: the shelf has one more, or the job is gone
    if job.status == store.DONE:
        st.success(f"The model {escape_md(job.result)} is on the shelf.", icon=":material/check:")
        with st.container(horizontal=True, gap="small"):
            show_model_link(job.result)
            st.page_link(
                "pages/models.py",
                label="Its card",
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

"""Taking images in (files, a folder, a zip, the sample set) and analysing those that wait."""

import time
from collections.abc import Iterable, Sequence

import streamlit as st

from bloodcell.core.errors import BloodcellError, ModelError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.sources.uploads import read_uploads
from bloodcell.model_store.io_spec import IMAGE, ModelIOSpec
from bloodcell.model_store.library import ModelInfo, get_model, list_models
from bloodcell.reports.numbers import format_count
from bloodcell.review.batches import MAX_NAME_CHARS, Batch
from bloodcell.review.images import list_waiting_images
from bloodcell.review.intake import IntakeCounts, add_files, analyse_waiting
from bloodcell.synthetic.gallery import draw_sample_set
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.messages import escape_md

SAMPLE_IMAGES = 12
_MODEL_KEY = "classify-model"
_FILES, _FOLDER = "Images or a zip", "A whole folder"


def ask_model() -> ModelInfo | None:
    """Ask for the model of a new batch; without one on the shelf, say so and return None."""
    models = list_models(load_settings())
    if not models:
        st.warning(
            "There is no model on the shelf, so images cannot be classified. The Models page says where models go.",
            icon=":material/inventory_2:",
        )
        return None
    model = models[0]
    if len(models) > 1:
        model = st.selectbox("Model", models, format_func=describe_model, key=_MODEL_KEY, bind="query-params")
    show_limits(model.io_spec)
    return model


def show_limits(io_spec: ModelIOSpec) -> None:
    """Say so where a model does not name every cell, or is not judged."""
    if not io_spec.has_thresholds:
        st.warning(
            "Nothing was measured that says when this model can be trusted: every cell is marked Check, none is Confident "
            "or Unfamiliar.",
            icon=":material/visibility:",
        )
    if io_spec.input == IMAGE:
        words = "of several white cells in one picture only the largest is named."
        if not io_spec.needs_white_cell:
            words = "give it one cell a picture. It names every picture, whatever is in it."
        st.info(f"This model looks at the whole picture: {words}", icon=":material/crop_free:")


def show_model_link(name: str) -> None:
    """Link to the page with a model of the shelf chosen for the next batch; nothing where it is not on the shelf."""
    model = next((one for one in list_models(load_settings()) if one.name == name), None)
    if model is not None:
        st.page_link(
            "pages/classify.py",
            label="Classify with it",
            icon=":material/biotech:",
            query_params={state.BATCH_PARAM: "", _MODEL_KEY: describe_model(model)},  # no batch that was open before
        )


def describe_model(model: ModelInfo) -> str:
    """A model as one chooses among them."""
    return f"{model.name}: {model.title}"


def ask_new_batch(default_name: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Ask for the name and the images of a new batch; no images until some are dropped."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input(
            "New batch",
            placeholder=default_name,
            max_chars=MAX_NAME_CHARS,
            key="classify-new-name",
            help="Left empty, it is named by date and time.",
        )
        kind = _ask_kind()
        use_sample = st.button("Try the sample set", icon=":material/science:", key="classify-sample")
    files = _ask_upload(kind)
    if use_sample:
        return name or "Sample set", draw_sample_set(SAMPLE_IMAGES)
    return name, files


def ask_files() -> list[tuple[str, bytes]]:
    """Ask for more images; an empty list until some are dropped."""
    return _ask_upload(_ask_kind())


def _ask_kind() -> str:
    return st.segmented_control(
        "What to add",
        (_FILES, _FOLDER),
        default=_FILES,
        required=True,
        key="classify-kind",
        label_visibility="collapsed",
    )


def _ask_upload(kind: str) -> list[tuple[str, bytes]]:
    number = state.get_uploader_number()
    if kind == _FOLDER:
        files = st.file_uploader(
            "Drop a folder here, or choose one",
            accept_multiple_files="directory",
            key=f"classify-folder-{number}",
        )
    else:
        files = st.file_uploader(
            "Drop images here: JPEG, PNG, BMP, TIFF, or a zip of them",
            accept_multiple_files=True,
            key=f"classify-files-{number}",
        )
    return [(file.name, file.getvalue()) for file in files]


def store_files(batch_id: int, files: Sequence[tuple[str, bytes]]) -> None:
    """Keep dropped files in a batch at once, empty the uploader, and leave a sentence on what came in."""
    bar = st.progress(0.0, "Storing the images …")
    total = len(files)

    def on_progress(done: int, _total: int) -> None:
        bar.progress(min(1.0, done / max(total, done)), f"Storing the images … {done:,}")

    added = add_files(
        resources.get_database(), resources.get_blob_store(), batch_id, read_uploads(files), on_progress, total
    )
    state.empty_uploaders()
    state.store_notice(_describe_intake(added))


def get_batch_model(batch: Batch) -> ModelInfo:
    """The model that a batch was begun with; ModelError if it is not on the shelf, or another one under its name is."""
    model = get_model(batch.model_name, load_settings())
    if model.sha256 != batch.model_sha256:
        raise ModelError(
            f"The model {batch.model_name} on the shelf is no longer the one this batch was begun with, so it neither "
            "analyses nor explains images of it. Begin a new batch for them."
        )
    return model


def analyse_waiting_images(batch: Batch) -> None:
    """Analyse the images of a batch that wait, with a progress bar; the page starts anew when that is done.

    Work that was interrupted (page closed, server stopped) goes on here when the batch is opened again.

    Raises
    ------
    ModelError
        If the batch's model is no longer on the shelf, or is another one under the same name.
    """
    db = resources.get_database()
    waiting = list_waiting_images(db, batch.id)
    if not waiting:
        return
    model = get_batch_model(batch)
    bar = st.progress(0.0, f"Looking at {format_count(len(waiting), 'image')} …")
    engine = resources.get_engine(str(model.folder), model.sha256)
    started = time.perf_counter()

    def on_progress(done: int, total: int) -> None:
        if done == total or done % max(1, total // 100) == 0:
            bar.progress(done / total, f"Looked at {done:,} of {format_count(total, 'image')} …")

    n_done = analyse_waiting(db, resources.get_blob_store(), batch.id, engine, on_progress)
    state.store_speed(batch.id, n_done, time.perf_counter() - started)
    st.rerun()


def show_analysis(batch: Batch) -> None:
    """Analyse what waits; where that is refused, say why in one sentence and let the page go on."""
    try:
        analyse_waiting_images(batch)
    except BloodcellError as error:
        st.error(escape_md(str(error)), icon=":material/error:")


def _describe_intake(added: IntakeCounts) -> str:
    parts: Iterable[str] = [
        f"{format_count(added.n_new, 'image')} added" if added.n_new else "",
        f"{format_count(added.n_duplicates, 'file')} already here" if added.n_duplicates else "",
        f"{format_count(added.n_problem, 'file')} could not be used (see below)" if added.n_problem else "",
    ]
    return ", ".join(part for part in parts if part) + "." if any(parts) else "There was no image in it."

"""Adding images (files, a folder, a zip, the sample set) and analysing those that wait."""

import time
from collections.abc import Iterable, Sequence

import streamlit as st

from bloodcell.core.errors import BloodcellError, ModelError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.sources.uploads import read_uploads
from bloodcell.model_store.library import ModelInfo, get_model
from bloodcell.reports.numbers import format_count
from bloodcell.review.batches import MAX_NAME_CHARS, Batch
from bloodcell.review.images import list_waiting_images
from bloodcell.review.intake import IntakeCounts, add_files, analyse_waiting
from bloodcell.synthetic.gallery import draw_sample_set
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.messages import escape_md

SAMPLE_IMAGES = 12
_FILES, _FOLDER = "Images or a zip", "A folder"


def ask_new_batch(default_name: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Ask for the name and the images of a new batch.

    Parameters
    ----------
    default_name : str
        Shown where the name will be.

    Returns
    -------
    name : str
        "" where none was entered.
    files : list of (str, bytes)
        Name and content; empty until some are dropped.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input(
            "New batch",
            placeholder=default_name,
            max_chars=MAX_NAME_CHARS,
            key="classify-new-name",
            help="If left empty, the batch is named by date and time.",
        )
        kind = _ask_kind()
        use_sample = st.button("Try the sample set", icon=":material/science:", key="classify-sample")
    files = _ask_upload(kind)
    if use_sample:
        return name or "Sample set", draw_sample_set(SAMPLE_IMAGES)
    return name, files


def ask_files() -> list[tuple[str, bytes]]:
    """Ask for more images; return name and content of each, an empty list until some are dropped."""
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
    """Save dropped files in a batch, empty the uploaders, and store a notice of what was added.

    Parameters
    ----------
    batch_id : int
    files : sequence of (str, bytes)
        Name and content of each; a zip stands for the files in it.
    """
    bar = st.progress(0.0, "Saving the images …")
    total = len(files)

    def on_progress(done: int, _total: int) -> None:
        bar.progress(min(1.0, done / max(total, done)), f"Saving the images … {done:,}")

    counts = add_files(
        resources.get_database(), resources.get_blob_store(), batch_id, read_uploads(files), on_progress, total
    )
    state.empty_uploaders()
    state.store_notice(_describe_intake(counts))


def get_batch_model(batch: Batch) -> ModelInfo:
    """Return the model that a batch was created with.

    Raises
    ------
    ModelError
        If the model library no longer has it, or has another one of its name.
    """
    model = get_model(batch.model_name, load_settings())
    if model.sha256 != batch.model_sha256:
        raise ModelError(
            f"The model {batch.model_name} in the model library is no longer the one this batch was created with, so the "
            "images of the batch can be neither analysed nor explained. Create a new batch for them."
        )
    return model


def analyse_waiting_images(batch: Batch) -> None:
    """Analyse the waiting images of a batch with a progress bar, then rerun the page.

    Work that was interrupted (page closed, server stopped) goes on here when the batch is opened again.

    Raises
    ------
    ModelError
        As `get_batch_model`.
    """
    db = resources.get_database()
    waiting = list_waiting_images(db, batch.id)
    if not waiting:
        return
    model = get_batch_model(batch)
    bar = st.progress(0.0, f"Analysing {format_count(len(waiting), 'image')} …")
    engine = resources.get_engine(str(model.folder), model.sha256)
    started = time.perf_counter()

    def on_progress(done: int, total: int) -> None:
        if done == total or done % max(1, total // 100) == 0:
            bar.progress(done / total, f"Analysed {done:,} of {format_count(total, 'image')} …")

    n_done = analyse_waiting(db, resources.get_blob_store(), batch.id, engine, on_progress, resources.get_detector())
    state.store_speed(batch.id, n_done, time.perf_counter() - started)
    st.rerun()


def show_analysis(batch: Batch) -> None:
    """Analyse the waiting images; where that fails, say why in one sentence and let the page go on."""
    try:
        analyse_waiting_images(batch)
    except BloodcellError as error:
        st.error(escape_md(str(error)), icon=":material/error:")


def _describe_intake(counts: IntakeCounts) -> str:
    parts: Iterable[str] = [
        f"{format_count(counts.n_new, 'image')} added" if counts.n_new else "",
        f"{format_count(counts.n_duplicates, 'file')} already in this batch" if counts.n_duplicates else "",
        f"{format_count(counts.n_problem, 'file')} could not be used (see below)" if counts.n_problem else "",
    ]
    return ", ".join(part for part in parts if part) + "." if any(parts) else "No image was found."

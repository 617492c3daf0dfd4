"""Ask for a U-Net that segments the cell: which images, which masks it is trained on, at which size."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET, SourceSpec, format_source_name
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.imaging.read import encode_jpeg
from bloodcell.jobs.kinds.masks import MASKS
from bloodcell.jobs.store import NewJob
from bloodcell.plots.cell_images import draw_outline
from bloodcell.reports.numbers import format_count
from bloodcell.training.samples.mask_samples import open_pairs
from bloodcell.training.specs.masks_spec import DRAWN, MAX_SIDE_PX, MIN_SIDE_PX, OTSU, MasksSpec
from bloodcell.ui.shared import state
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import data_uri, show_image_grid
from bloodcell.ui.shared.messages import show_errors
from bloodcell.ui.train import data_form
from bloodcell.ui.train.job_request import JobRequest, make_slug
from bloodcell.ui.train.spec_fields import parse_ints

EXAMPLES = 12
SIDE_STEP_PX = 8
_TARGETS = {DRAWN: "masks drawn by people", OTSU: "masks by Otsu's threshold"}


def ask_masks() -> JobRequest | None:
    """Ask for everything; None where there is nothing to train on."""
    if data_form.warn_if_empty():
        return None
    st.caption(
        "A U-Net marks the pixels that belong to the cell. Models that you train later can hide the background with it. "
        "It does not classify cells, so it is not in the model library."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        dataset = data_form.choose_dataset()
    if dataset is None:
        return None
    with left:
        groups = data_form.ask_groups(dataset)
    with right:
        settings = _ask_targets(dataset)
        name = st.text_input(
            "Name of the U-Net",
            f"{make_slug(dataset.name)}-unet",
            max_chars=80,
            key=f"train-masks-name-{dataset.id}",
            help="Letters, digits, '.', '_' and '-'. A number is added where the name is taken.",
        )
        button = st.container()
    with st.expander("Size, epochs and held-out images", icon=":material/tune:"):
        settings |= _ask_training()
    source = SourceSpec(format_source_name(dataset.name), dataset.id, layout=DATASET, groups=groups)
    title = f"U-Net, trained on {dataset.name}"

    def make_spec() -> MasksSpec:
        return MasksSpec(name=name.strip(), source=source, title=title, **settings)

    with st.expander(
        "Preview the training masks", icon=":material/visibility:", key="train-masks-examples", on_change="rerun"
    ) as expander:
        if expander.open:
            with st.spinner("Reading images …"):
                _show_examples(dataset, make_spec)
    return JobRequest(button, lambda: _make_job(dataset, make_spec()), "Train")


def _make_job(dataset: Dataset, spec: MasksSpec) -> NewJob:
    if spec.targets == DRAWN:
        _count_masks(dataset, spec)  # says what is wrong before anything starts
    return MASKS.make_job(spec, load_settings().home, state.get_initials())


def _count_masks(dataset: Dataset, spec: MasksSpec) -> tuple[int, int]:
    """Count the images that have a mask, and all images; DatasetError where none has."""

    def count() -> tuple[int, int]:
        with st.spinner("Searching for masks …"), open_pairs(spec, load_settings().home) as pairs:
            return len(pairs.drawn.mask_by_image) if pairs.drawn else 0, pairs.n_images

    return get_or_compute((dataset.fingerprint, "train-masks", spec.masks), count)


def _ask_targets(dataset: Dataset) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    settings["targets"] = st.radio(
        "Train on",
        list(_TARGETS),
        index=1,
        format_func=_TARGETS.__getitem__,
        horizontal=True,
        key=f"train-masks-targets-{dataset.id}",
    )
    if settings["targets"] == OTSU:
        st.caption(
            "No drawn masks are needed. The U-Net also copies the errors of Otsu's threshold, so its metrics measure the "
            "agreement with Otsu, not with the cell."
        )
        return settings
    settings["masks"] = st.text_input(
        "Folder of the masks",
        placeholder="beside the images, or in a folder masks",
        key=f"train-masks-folder-{dataset.id}",
        help="A folder on this computer, or one inside the dataset. A mask has the same name as its image. If not, give "
        "the pattern: masks/{folder}/{stem}_mask.png, where {folder} and {stem} are the folder and the name of the image.",
    ).strip()
    settings["cell_values"] = parse_ints(
        st.text_input(
            "Gray values of the cell",
            placeholder="all above 0",
            key=f"train-masks-values-{dataset.id}",
            help="For example 128 255, if 128 is cytoplasm and 255 is nucleus.",
        )
    )
    return settings


def _ask_training() -> dict[str, Any]:
    first, second, third, fourth = st.columns(4)
    with first:
        height = _ask_int("height_px", "Height (px)", MIN_SIDE_PX, MAX_SIDE_PX, step=SIDE_STEP_PX)
        width = _ask_int("width_px", "Width (px)", MIN_SIDE_PX, MAX_SIDE_PX, step=SIDE_STEP_PX)
    with second:
        epochs = _ask_int("epochs", "Epochs", 1, 2000)
        batch = _ask_int("batch_size", "Batch size", 1, 1024)
    with third:
        rate = st.number_input(
            "Learning rate",
            0.0,
            1.0,
            MasksSpec.learning_rate,
            step=1e-4,
            format="%g",
            key="train-masks-learning_rate",
        )
        held_share = st.number_input(
            "Share held out",
            0.0,
            0.5,
            MasksSpec.held_share,
            step=0.05,
            key="train-masks-held_share",
            help="The U-Net is never trained on these images; its metrics are measured on them. Copies of one cell stay "
            "together.",
        )
    with fourth:
        limit = _ask_int("limit", "Maximum number of images", 0, 1_000_000, help="0 for all.")
        seed = _ask_int("seed", "Seed", 0, 10**6, help="Another seed gives other samples and starting weights.")
    return {
        "height_px": height,
        "width_px": width,
        "epochs": epochs,
        "batch_size": batch,
        "learning_rate": float(rate),
        "held_share": float(held_share),
        "limit": limit,
        "seed": seed,
    }


def _ask_int(name: str, label: str, minimum: int, maximum: int, **more: Any) -> int:
    """Ask for a whole number, starting with the default of the setting."""
    return int(st.number_input(label, minimum, maximum, getattr(MasksSpec, name), key=f"train-masks-{name}", **more))


def _show_examples(dataset: Dataset, make_spec: Callable[[], MasksSpec]) -> None:
    """Show a few images with the outline of their training masks; nothing where the settings make no sense."""
    try:
        spec = make_spec()
        n_masks, n_images = _count_masks(dataset, spec) if spec.targets == DRAWN else (0, 0)
    except BloodcellError:
        st.caption("They are shown once the error above is fixed.")  # it stands under the button
        return
    if n_masks:
        st.caption(f"{n_masks:,} of {format_count(n_images, 'image')} {'has' if n_masks == 1 else 'have'} a mask.")
    targets = (spec.targets, spec.masks, spec.cell_values)
    with show_errors():
        thumbnails = get_or_compute(
            (dataset.fingerprint, "train-masks-examples", targets), lambda: _make_examples(replace(spec, limit=0))
        )
        show_image_grid(thumbnails, "repeat(auto-fill,minmax(130px,1fr))")


def _make_examples(spec: MasksSpec) -> list[tuple[str, str]]:
    thumbnails = []
    with open_pairs(spec, load_settings().home) as pairs:
        for record in sample_records(pairs.records, EXAMPLES, seed=0)[:EXAMPLES]:
            name = record.file.rsplit("/", 1)[-1]
            pair = pairs.read(record)
            if pair is not None:
                rgb, mask = pair
                caption = name if mask.any() else f"{name}: empty mask"
                thumbnails.append((data_uri(encode_jpeg(draw_outline(rgb, mask))), caption))
    return thumbnails

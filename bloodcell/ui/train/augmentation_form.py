"""How strongly training images are augmented, with examples made as training makes them."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.imaging.augment import FILLS, NO_AUGMENTATION, Augmentation, augment_crop
from bloodcell.imaging.read import encode_jpeg
from bloodcell.inference.frame_scale import measure_frame_scale
from bloodcell.plots.theme import format_label
from bloodcell.training.samples.samples import build_cutter, build_stored_io_spec
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.ui.datasets.dataset_images import list_usable_records, open_source
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import data_uri, show_image_grid
from bloodcell.ui.train.spec_fields import Fields

EXAMPLES, N_AUGMENTED = 3, 7
MAX_SHOWN_PX = 160
_FILLS = {"background": "background", "reflect": "mirrored image"}
_SLIDERS = (
    # setting, label, maximum, help
    ("zoom", "Zoom", 1.0, "Largest change of size."),
    ("shift", "Shift", 0.5, "Largest shift, as a share of the image side."),
    ("stain", "Stain strength", 1.0, "Spread, for each stain colour separately."),
    ("mixing", "Stain hue", 0.5, "How far the stain colours mix."),
    ("contrast", "Contrast", 1.0, "Largest change."),
    ("blur", "Blur and noise", 0.6, "Share of images that are blurred; half as many get noise."),
    ("cut", "Image edge at the cell", 0.6, "Share of images that end at the edge of the cell."),
)


def ask_augmentation(fields: Fields) -> Augmentation:
    """Ask how strongly images are augmented."""
    base = fields.base.augment
    columns = st.columns(4)
    values: dict[str, float] = {}
    for number, (name, label, maximum, meaning) in enumerate(_SLIDERS):
        with columns[number % 4]:
            values[name] = st.slider(
                label, 0.0, maximum, float(getattr(base, name)), 0.01, key=fields.key(name), help=meaning
            )
    with columns[3]:
        light = st.slider(
            "Brightness", 0.0, 60.0, float(base.light), 1.0, key=fields.key("light"), help="Spread, in gray levels."
        )
    first, second, third, _ = st.columns(4, vertical_alignment="bottom")
    with first:
        turn_deg = st.slider("Rotation, up to (degrees)", 0, 180, int(base.turn_deg), 5, key=fields.key("turn_deg"))
    with second:
        fill = st.selectbox(
            "Fill empty corners with",
            FILLS,
            FILLS.index(base.fill),
            format_func=lambda fill: _FILLS.get(fill, fill),
            key=fields.key("fill"),
        )
    with third:
        mirror = st.toggle("Mirror half of the images", base.mirror, key=fields.key("mirror"))
    return Augmentation(**values, light=light, turn_deg=float(turn_deg), fill=fill, mirror=mirror)


def show_examples(dataset: Dataset, spec: TrainSpec) -> None:
    """Show images of the dataset as the network sees them: first the original, then augmented as in training.

    Parameters
    ----------
    dataset : Dataset
    spec : TrainSpec
        Only its framing and its augmentation matter.
    """
    seed_key = "train-examples-seed"
    if st.button("Reshuffle", icon=":material/shuffle:", key="train-examples-others"):
        st.session_state[seed_key] = st.session_state.get(seed_key, 0) + 1
    seed = int(st.session_state.get(seed_key, 0))
    label_crops = get_or_compute(
        (dataset.fingerprint, "train-examples", str(build_stored_io_spec(spec)), spec.mask_model, seed),
        lambda: _cut_examples(dataset, spec, seed),
    )
    if not label_crops:
        st.info("No white cell was found in the sampled images. Reshuffle to try others.", icon=":material/info:")
        return
    thumbnails = []
    for number, (label, crop) in enumerate(label_crops):
        rng = np.random.default_rng((seed, number))
        thumbnails.append(
            _make_example(crop, replace(spec, augment=NO_AUGMENTATION), rng, f"{format_label(label)}, original")
        )
        thumbnails += [_make_example(crop, spec, rng, "augmented") for _ in range(N_AUGMENTED)]
    show_image_grid(thumbnails, f"repeat({N_AUGMENTED + 1},minmax(0,1fr))")


def _cut_examples(dataset: Dataset, spec: TrainSpec, seed: int) -> list[tuple[str, npt.NDArray[np.uint8]]]:
    """Cut a few crops, each with its label; images without a cell are skipped."""
    sample: list[Record] = sample_records(list_usable_records(dataset), 3 * EXAMPLES, seed)
    examples: list[tuple[str, npt.NDArray[np.uint8]]] = []
    with open_source(dataset) as images:
        first = (images.read(record.file) for record in sample)
        red_cell_px = measure_frame_scale(build_stored_io_spec(spec), first, dataset.name)
        cut = build_cutter(spec, load_settings().home, images, red_cell_px)
        for row in np.random.default_rng(seed).permutation(len(sample)).tolist():
            crops = cut(sample[row])
            if crops and crops[0] is not None:
                examples.append((sample[row].label, crops[0]))
            if len(examples) == EXAMPLES:
                break
    return examples


def _make_example(
    crop: npt.NDArray[np.uint8], spec: TrainSpec, rng: np.random.Generator, caption: str
) -> tuple[str, str]:
    augmented = augment_crop(crop, spec.height_px, spec.width_px, spec.augment, rng)
    stride = max(1, max(augmented.shape[:2]) // MAX_SHOWN_PX)
    return data_uri(encode_jpeg(np.ascontiguousarray(augmented[::stride, ::stride]))), caption

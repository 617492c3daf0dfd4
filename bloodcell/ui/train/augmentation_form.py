"""How far learned pictures are varied, with examples that are made as training makes them."""

from dataclasses import replace

import numpy as np
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.imaging.augment import FILLS, NO_AUGMENTATION, Augmentation, augment_crop
from bloodcell.imaging.read import encode_jpeg
from bloodcell.plots.theme import format_label
from bloodcell.training.samples.samples import build_cutter, build_stored_io_spec
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.ui.datasets.dataset_images import list_usable_records, open_source
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import data_uri, show_image_grid
from bloodcell.ui.train.spec_fields import Fields

EXAMPLES, N_AUGMENTED = 3, 7
MAX_SHOWN_PX = 160
_FILLS = {"background": "clear glass", "reflect": "the picture mirrored"}
_SLIDERS = (
    # setting, words, most, what it means
    ("zoom", "Larger and smaller", 1.0, "Largest change of size."),
    ("shift", "Shift", 0.5, "As a share of the side."),
    ("stain", "Strength of the stain", 1.0, "Spread, for each colour by itself."),
    ("mixing", "Hue of the stain", 0.5, "How far the colours mix into each other."),
    ("contrast", "Contrast", 1.0, "Largest change."),
    ("blur", "Out of focus or noisy", 0.6, "Share of pictures that are blurred; half as many are noisy."),
    ("cut", "Picture ends beside the cell", 0.6, "Share of pictures."),
)


def ask(fields: Fields) -> Augmentation:
    """Ask how far pictures are varied."""
    base = fields.base.augment
    columns = st.columns(4)
    values: dict[str, float] = {}
    for number, (name, words, maximum, meaning) in enumerate(_SLIDERS):
        with columns[number % 4]:
            values[name] = st.slider(
                words, 0.0, maximum, float(getattr(base, name)), 0.01, key=fields.key(name), help=meaning
            )
    with columns[3]:
        light = st.slider(
            "Lamp", 0.0, 60.0, float(base.light), 1.0, key=fields.key("light"), help="Spread, in gray levels."
        )
    first, second, third, _ = st.columns(4, vertical_alignment="bottom")
    with first:
        turn_deg = st.slider("Turned by up to (degrees)", 0, 180, int(base.turn_deg), 5, key=fields.key("turn_deg"))
    with second:
        fill = st.selectbox(
            "Empty corners show",
            FILLS,
            FILLS.index(base.fill),
            format_func=lambda one: _FILLS.get(one, one),
            key=fields.key("fill"),
        )
    with third:
        mirror = st.toggle("Half of them mirrored", base.mirror, key=fields.key("mirror"))
    return Augmentation(**values, light=light, turn_deg=float(turn_deg), fill=fill, mirror=mirror)


def show_examples(dataset: Dataset, spec: TrainSpec) -> None:
    """Show pictures of the dataset as the network sees them, first unvaried, then varied as in training.

    Parameters
    ----------
    spec : of which framing and augmentation count
    """
    seed_key = "train-examples-seed"
    if st.button("Show others", icon=":material/shuffle:", key="train-examples-others"):
        st.session_state[seed_key] = st.session_state.get(seed_key, 0) + 1
    seed = int(st.session_state.get(seed_key, 0))
    wide = get_or_compute(
        (dataset.fingerprint, "train-examples", str(build_stored_io_spec(spec)), spec.mask_model, seed),
        lambda: _cut_examples(dataset, spec, seed),
    )
    if not wide:
        st.info("No white cell was found in the pictures that were drawn; show others.", icon=":material/info:")
        return
    thumbnails = []
    for number, (label, crop) in enumerate(wide):
        rng = np.random.default_rng((seed, number))
        thumbnails.append(
            _make_example(crop, replace(spec, augment=NO_AUGMENTATION), rng, f"{format_label(label)}, as it is")
        )
        thumbnails += [_make_example(crop, spec, rng, "varied") for _ in range(N_AUGMENTED)]
    show_image_grid(thumbnails, f"repeat({N_AUGMENTED + 1},minmax(0,1fr))")


def _cut_examples(dataset: Dataset, spec: TrainSpec, seed: int) -> list[tuple[str, np.ndarray]]:
    """Label and stored crop of a few pictures; those that show no cell are passed over."""
    sample: list[Record] = sample_records(list_usable_records(dataset), 3 * EXAMPLES, seed)
    examples: list[tuple[str, np.ndarray]] = []
    with open_source(dataset) as images:
        cut = build_cutter(spec, load_settings().home, images)
        for row in np.random.default_rng(seed).permutation(len(sample)).tolist():
            crops = cut(sample[row])
            if crops and crops[0] is not None:
                examples.append((sample[row].label, crops[0]))
            if len(examples) == EXAMPLES:
                break
    return examples


def _make_example(wide: np.ndarray, spec: TrainSpec, rng: np.random.Generator, caption: str) -> tuple[str, str]:
    augmented = augment_crop(wide, spec.height_px, spec.width_px, spec.augment, rng)
    stride = max(1, max(augmented.shape[:2]) // MAX_SHOWN_PX)
    return data_uri(encode_jpeg(np.ascontiguousarray(augmented[::stride, ::stride]))), caption

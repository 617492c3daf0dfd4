"""Where a model looked, for one cell or the mean over a class: occlusion at once, the inside of the network by a job."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from bloodcell.core.errors import ExplainError
from bloodcell.core.settings import load_settings
from bloodcell.explain.class_cells import average_crops
from bloodcell.explain.explanation import (
    GRADCAM,
    GRADCAM_UNIT,
    LAYERS,
    METHODS,
    NOT_A_MEDICAL_REASON,
    OCCLUSION,
    OCCLUSION_UNIT,
    Explanation,
    LayerMaps,
)
from bloodcell.explain.occlusion import occlusion_maps
from bloodcell.explain.spec import find_cam_layer
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.inference.pipeline import compute_magnification, crop_model_input
from bloodcell.jobs import explanations, store
from bloodcell.jobs.kinds.explain import EXPLAIN
from bloodcell.jobs.store import Job
from bloodcell.model_store.library import ModelInfo
from bloodcell.plots import theme
from bloodcell.plots.explanation_maps import find_map_range, plot_map, render_channel
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import NO_MODEBAR, data_uri, show_image_grid
from bloodcell.ui.shared.messages import escape_md
from bloodcell.ui.shared.progress import get_or_run_with_bar

IMAGE_PX = 256
# A drop below this is no more than an answer moves anyway.
MIN_DROP = 0.02
CHANNELS_PER_ROW = 8


def show_explanation(
    model: ModelInfo,
    image_sha256: str,
    read: Callable[[], bytes],
    box: Box,
    predicted: str,
    true: str = "",
    *,
    key: str,
) -> None:
    """Show where a model looked at one cell: a map by occlusion at once, Grad-CAM and layers on a click.

    A page that calls this also calls `watch_jobs`, outside of its fragments.

    Parameters
    ----------
    image_sha256 : of the bytes that `read` gives
    read : gives the image; called only where the cell was not looked at lately
    predicted, true : classes of the model; `true` is "" where it is not known
    key : begins the keys of the widgets; another one for each cell

    Raises
    ------
    BloodcellError
        If the image or the model cannot be used.
    """
    engine = resources.get_engine(str(model.folder), model.sha256)
    cell = (model.sha256, image_sha256, box)

    def crops() -> tuple[np.ndarray, np.ndarray]:
        rgb = read_rgb(read())
        return crop_model_input(engine.framing, rgb, box), crop_model_input(
            engine.framing, rgb, box, compute_magnification(engine.framing, IMAGE_PX)
        )

    crop, large = get_or_compute(("explained-crop", *cell), crops)
    chosen = _ask_class(model.class_names, predicted, true, key)
    drops = get_or_run_with_bar(
        ("explained-by-occlusion", *cell),
        "Covering the cell part by part",
        lambda on_progress, _: occlusion_maps(engine, crop, on_progress=on_progress),
    )
    left, right = st.columns(2, gap="small")
    with left:
        _show_occlusion(large, drops[chosen], model.class_names[chosen], key)
    with right:
        explanation = _request_explanation(model, crop[None], (GRADCAM, LAYERS), "", key)
        if explanation is not None:
            _show_gradcam(large, explanation, chosen, key)
    if explanation is not None:
        _show_layers(explanation.layers, key)
    st.caption(NOT_A_MEDICAL_REASON)


def show_class_mean(model: ModelInfo, crops: np.ndarray, class_name: str, *, key: str) -> None:
    """Show where a model looks on average at the cells of a class; all of it is worked out by a job.

    A page that calls this also calls `watch_jobs`, outside of its fragments.

    Parameters
    ----------
    crops : uint8 array of shape (N, H, W, 3), as `explain.class_cells.cut_class_crops` gives them; one or more
    of_class : the class that they belong to, of the model's
    key : begins the keys of the widgets; another one for each class
    """
    methods = METHODS if _find_cam_problem(model) == "" else (OCCLUSION,)
    chosen = _ask_class(model.class_names, class_name, class_name, key)
    explanation = _request_explanation(model, crops, methods, class_name, key)
    if explanation is not None:
        left, right = st.columns(2, gap="small")
        large = average_crops(crops)
        with left:
            if explanation.occlusion is not None:
                _show_occlusion(large, explanation.occlusion[chosen], explanation.class_names[chosen], key)
        with right:
            _show_gradcam(large, explanation, chosen, key)
        _show_layers(explanation.layers, key)
        st.caption(f"Mean over {format_count(explanation.n_cells, 'cell')}. {NOT_A_MEDICAL_REASON}")


def watch_jobs() -> None:
    """Draw the page anew when an explanation that was asked for begins or ends; a page calls it once, at its end.

    Streamlit's fragments that run by themselves must not lie in another one, so this cannot be where the maps are.
    """
    busy = _list_active_jobs()
    if busy:
        st.fragment(_rerun_on_change, run_every=1)(busy)


def _rerun_on_change(before: list[tuple[int, str]]) -> None:
    resources.get_job_queue().dispatch()
    if _list_active_jobs() != before:
        st.rerun()


def _list_active_jobs() -> list[tuple[int, str]]:
    jobs = store.list_jobs(resources.get_database(), (store.QUEUED, store.RUNNING))
    return [(job.id, job.status) for job in jobs if job.kind == EXPLAIN.name]


def _ask_class(class_names: Sequence[str], predicted: str, true: str, key: str) -> int:
    """Which class the maps are for: the place of its name."""

    def words(name: str) -> str:
        marks = [mark for mark, one in (("predicted", predicted), ("true", true)) if one == name and predicted != true]
        return f"{theme.format_label(name)} ({marks[0]})" if marks else theme.format_label(name)

    begin = class_names.index(predicted) if predicted in class_names else 0
    chosen = st.selectbox(
        "What speaks for",
        class_names,
        index=begin,
        format_func=words,
        key=f"{key}-class",
        help="The maps are for this class. Choose another one to see what speaks for that.",
    )
    return class_names.index(chosen)


def _show_occlusion(large: np.ndarray, drops: np.ndarray, class_name: str, key: str) -> None:
    st.markdown(
        "**By covering parts**",
        help="Each part of the picture is covered in turn. Orange: the probability drops without it, so it speaks for the "
        "class. Blue: the probability rises, so it speaks against it.",
    )
    st.plotly_chart(
        plot_map(large, drops, OCCLUSION_UNIT, find_map_range(drops), signed=True),
        config=NO_MODEBAR,
        key=f"{key}-occlusion",
        alt="Map of how much the probability drops where a part is covered",
    )
    if drops.max() < MIN_DROP:
        st.caption(
            f"No single part decides: covered alone, none lowers {escape_md(theme.format_label(class_name))} by 2 points."
        )


def _show_gradcam(large: np.ndarray, explanation: Explanation, chosen: int, key: str) -> None:
    if explanation.gradcam is None:
        return
    height, width = explanation.gradcam_places
    st.markdown(
        "**Grad-CAM**",
        help=f"Which places of the layer {escape_md(explanation.gradcam_layer)} raise the score of the class. The layer has "
        f"{height} x {width} places only, so the map is as coarse as that.",
    )
    st.plotly_chart(
        plot_map(large, explanation.gradcam[chosen], GRADCAM_UNIT, 1.0, signed=False),
        config=NO_MODEBAR,
        key=f"{key}-gradcam",
        alt="Map of the places that speak for the class",
    )
    if not explanation.gradcam[chosen].any():
        st.caption("Nothing in this layer speaks for the class.")


def _show_layers(layers: Sequence[LayerMaps], key: str) -> None:
    if not layers:
        return
    st.markdown(
        "**Layer by layer**",
        help="What the layers of the network put out, from the picture on: the most active channels of each. White is "
        "the highest value among them, black the lowest.",
    )
    names = {layer.name: layer for layer in layers}
    layer = names[st.select_slider("Layer", list(names), key=f"{key}-layer", label_visibility="collapsed")]
    images = [
        (data_uri(encode_png(render_channel(values)), "png"), f"{number}")
        for number, values in zip(layer.channels, layer.maps, strict=True)
    ]
    show_image_grid(images, f"repeat({CHANNELS_PER_ROW},minmax(0,1fr))")
    st.caption(escape_md(f"{layer.words}; the most active are shown."))


def _request_explanation(
    model: ModelInfo, crops: np.ndarray, methods: tuple[str, ...], class_name: str, key: str
) -> Explanation | None:
    """What a job has found; until then an offer to begin one, or how it goes."""
    spec = explanations.make_explain_spec(model, crops, methods, class_name)
    explanation = explanations.find_explanation(load_settings(), spec)
    if explanation is not None:
        explanations.delete_finished_jobs(resources.get_job_queue(), spec)
        return explanation
    closed = _find_cam_problem(model) if GRADCAM in methods else ""
    if closed:
        st.caption(escape_md(closed))
        return None
    job = explanations.find_job(resources.get_job_queue(), spec)
    if job is not None and not job.is_over:
        st.status(_describe_progress(job), state="running")
    elif _offer_job(job, "Work out the mean" if class_name else "Look inside the network", key):
        explanations.submit_explanation(resources.get_job_queue(), spec, crops, state.get_initials())
        st.rerun()
    return None


def _offer_job(job: Job | None, words: str, key: str) -> bool:
    """A button that begins the work, and what became of it before."""
    if job is not None and job.status == store.FAILED:
        st.error(escape_md(job.error), icon=":material/error:")
    elif job is not None and job.status in store.UNFINISHED:
        st.info("It was stopped before it had ended.", icon=":material/stop:")
    return st.button(
        words if job is None else "Try again",
        icon=":material/network_node:",
        key=f"{key}-inside",
        help="Grad-CAM, and pictures of what each layer puts out. It loads the training library in the background and "
        "takes some ten seconds; you can go on meanwhile.",
    )


def _describe_progress(job: Job) -> str:
    if job.status == store.QUEUED:
        return "Waits for another explanation"
    done, total = job.progress.get("done", 0), job.progress.get("total", 0)
    return f"Looking inside: {done} of {total} cells" if total > 1 else "Looking inside …"


def _find_cam_problem(model: ModelInfo) -> str:
    """Why a model cannot be looked into, "" where it can."""
    try:
        find_cam_layer(model.folder)
    except ExplainError as error:
        return str(error)
    return ""

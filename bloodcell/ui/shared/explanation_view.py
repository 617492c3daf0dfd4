"""Where a model looked, for one cell or the mean over a class: occlusion at once, Grad-CAM and layers by a job."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from bloodcell.core.errors import ExplainError
from bloodcell.core.settings import load_settings
from bloodcell.explain.explain_cells import average_crops
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
from bloodcell.inference.frame_scale import measure_frame_scale
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
# A smaller drop is within the noise of a prediction.
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
    red_cell_px: float | None = None,
) -> None:
    """Show where a model looked at one cell: an occlusion map at once, Grad-CAM and layers on a click.

    A page that calls this also calls `watch_jobs`, outside of its fragments.

    Parameters
    ----------
    model : ModelInfo
    image_sha256 : str
        Of the bytes that `read` returns.
    read : callable
        Returns the encoded image; called only where the maps of the cell are not cached.
    box : Box
        The cell in the image.
    predicted : str
        The predicted class, one of the model's.
    true : str, default ""
        The true class, "" where it is not known.
    key : str
        Prefix of the widget keys; a different one for each cell.
    red_cell_px : float, optional
        Diameter of red cells in the image, for a model of physical frames; by default measured in it.

    Raises
    ------
    BloodcellError
        If the image or the model cannot be used.
    """
    engine = resources.get_engine(str(model.folder), model.sha256)
    cell = (model.sha256, image_sha256, box)

    def cut_crops() -> tuple[np.ndarray, np.ndarray]:
        data = read()
        rgb = read_rgb(data)
        diameter_px = red_cell_px or measure_frame_scale(engine.io_spec, [data], "this image")
        magnification = compute_magnification(engine.framing, IMAGE_PX)
        return crop_model_input(engine.framing, rgb, box, red_cell_px=diameter_px), crop_model_input(
            engine.framing, rgb, box, magnification, diameter_px
        )

    crop, large = get_or_compute(("explained-crop", *cell), cut_crops)
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
    """Show where a model looks on average at the cells of a class; a job computes all of it.

    A page that calls this also calls `watch_jobs`, outside of its fragments.

    Parameters
    ----------
    model : ModelInfo
    crops : ndarray of uint8, shape (N, H, W, 3)
        One or more cells, as `explain.explain_cells.cut_class_crops` returns them.
    class_name : str
        The class of the cells, one of the model's.
    key : str
        Prefix of the widget keys; a different one for each class.
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
    """Rerun the page when the job of an explanation starts or ends; a page calls this once, at its end.

    A Streamlit fragment that reruns by itself must not lie in another one, so this cannot stand where the maps are.
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
    """Ask which class the maps are for; return its index."""

    def describe(name: str) -> str:
        role = "" if predicted == true else {true: "true", predicted: "predicted"}.get(name, "")
        return f"{theme.format_label(name)} ({role})" if role else theme.format_label(name)

    chosen = st.selectbox(
        "Evidence for",
        class_names,
        index=class_names.index(predicted) if predicted in class_names else 0,
        format_func=describe,
        key=f"{key}-class",
        help="The maps show what speaks for and against this class. Choose another class to see its maps.",
    )
    return class_names.index(chosen)


def _show_occlusion(large: np.ndarray, drops: np.ndarray, class_name: str, key: str) -> None:
    st.markdown(
        "**Occlusion map**",
        help="Each part of the image is covered in turn. Orange: the probability drops when the part is covered, so it "
        "speaks for the class. Blue: the probability rises, so it speaks against the class.",
    )
    st.plotly_chart(
        plot_map(large, drops, OCCLUSION_UNIT, find_map_range(drops), signed=True),
        config=NO_MODEBAR,
        key=f"{key}-occlusion",
        alt="Map of how much the probability drops where a part is covered",
    )
    if drops.max() < MIN_DROP:
        st.caption(
            "No single part decides: covering any one part lowers the probability of "
            f"{escape_md(theme.format_label(class_name))} by less than 2 points."
        )


def _show_gradcam(large: np.ndarray, explanation: Explanation, chosen: int, key: str) -> None:
    if explanation.gradcam is None:
        return
    height, width = explanation.gradcam_map_size
    st.markdown(
        "**Grad-CAM**",
        help=f"Shows which positions in the layer {escape_md(explanation.gradcam_layer)} raise the score of the class. The "
        f"layer has only {height} x {width} positions, so the map is coarse.",
    )
    st.plotly_chart(
        plot_map(large, explanation.gradcam[chosen], GRADCAM_UNIT, 1.0, signed=False),
        config=NO_MODEBAR,
        key=f"{key}-gradcam",
        alt="Map of the positions that speak for the class",
    )
    if not explanation.gradcam[chosen].any():
        st.caption("Nothing in this layer speaks for the class.")


def _show_layers(layers: Sequence[LayerMaps], key: str) -> None:
    if not layers:
        return
    st.markdown(
        "**Layer by layer**",
        help="The output of each layer of the network, from the image onwards: its most active channels. White is the "
        "highest value among them, black the lowest.",
    )
    names = {layer.name: layer for layer in layers}
    layer = names[st.select_slider("Layer", list(names), key=f"{key}-layer", label_visibility="collapsed")]
    images = [
        (data_uri(encode_png(render_channel(values)), "png"), f"{number}")
        for number, values in zip(layer.channels, layer.maps, strict=True)
    ]
    show_image_grid(images, f"repeat({CHANNELS_PER_ROW},minmax(0,1fr))")
    st.caption(escape_md(f"{layer.description}; the most active are shown."))


def _request_explanation(
    model: ModelInfo, crops: np.ndarray, methods: tuple[str, ...], class_name: str, key: str
) -> Explanation | None:
    """Return what a job has computed; until then offer to start one, or show its progress, and return None."""
    spec = explanations.make_explain_spec(model, crops, methods, class_name)
    explanation = explanations.find_explanation(load_settings(), spec)
    if explanation is not None:
        explanations.delete_finished_jobs(resources.get_job_queue(), spec)
        return explanation
    problem = _find_cam_problem(model) if GRADCAM in methods else ""
    if problem:
        st.caption(escape_md(problem))
        return None
    job = explanations.find_job(resources.get_job_queue(), spec)
    if job is not None and not job.is_over:
        st.status(_describe_progress(job), state="running")
    elif _offer_job(job, "Compute the mean" if class_name else "Look inside the network", key):
        explanations.submit_explanation(resources.get_job_queue(), spec, crops, state.get_initials())
        st.rerun()
    return None


def _offer_job(job: Job | None, label: str, key: str) -> bool:
    """Show a button that starts a job, and why an earlier one ended; return whether it was pressed."""
    if job is not None and job.status == store.FAILED:
        st.error(escape_md(job.error), icon=":material/error:")
    elif job is not None and job.status in store.UNFINISHED:
        st.info("It was stopped before it finished.", icon=":material/stop:")
    return st.button(
        label if job is None else "Try again",
        icon=":material/network_node:",
        key=f"{key}-inside",
        help="Computes Grad-CAM and the output of each layer. This loads the training library in the background and takes "
        "about ten seconds; you can keep working meanwhile.",
    )


def _describe_progress(job: Job) -> str:
    if job.status == store.QUEUED:
        return "Waiting for another explanation"
    done, total = job.progress.get("done", 0), job.progress.get("total", 0)
    return f"Looking inside: {done} of {total} cells" if total > 1 else "Looking inside …"


def _find_cam_problem(model: ModelInfo) -> str:
    """Return why Grad-CAM cannot be computed for a model, "" where it can."""
    try:
        find_cam_layer(model.folder)
    except ExplainError as error:
        return str(error)
    return ""

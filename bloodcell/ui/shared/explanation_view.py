"""Where a model looked, for one cell or the mean over a class: occlusion at once, the inside of the network by a job."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from bloodcell.core.errors import ExplainError
from bloodcell.core.settings import load_settings
from bloodcell.explain.class_cells import mean_crop
from bloodcell.explain.explanation import (
    GRADCAM,
    GRADCAM_UNIT,
    LAYERS,
    METHODS,
    NOT_A_REASON,
    OCCLUSION,
    OCCLUSION_UNIT,
    Explanation,
    LayerMaps,
)
from bloodcell.explain.occlusion import occlusion_maps
from bloodcell.explain.spec import cam_layer_of
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.inference.pipeline import enlarging, seen_crop
from bloodcell.jobs import explanations, store
from bloodcell.jobs.kinds.explain import EXPLAIN
from bloodcell.jobs.store import Job
from bloodcell.model_store.folder import ModelInfo
from bloodcell.plots import theme
from bloodcell.plots.explanation_maps import channel_picture, map_figure, map_range
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.cache import kept
from bloodcell.ui.shared.image_rows import NO_BAR, data_uri, show_figures
from bloodcell.ui.shared.progress import kept_with_bar
from bloodcell.ui.shared.text import counted, plain

PICTURE_PX = 256
# A drop below this is no more than an answer moves anyway.
LEAST_DROP = 0.02
A_ROW = 8


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

    A page that calls this also calls `follow`, outside of its fragments.

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
    engine = resources.engine(str(model.folder), model.sha256)
    cell = (model.sha256, image_sha256, box)

    def crops() -> tuple[np.ndarray, np.ndarray]:
        rgb = read_rgb(read())
        return seen_crop(engine.framing, rgb, box), seen_crop(
            engine.framing, rgb, box, enlarging(engine.framing, PICTURE_PX)
        )

    crop, large = kept(("explained-crop", *cell), crops)
    chosen = _ask_class(model.class_names, predicted, true, key)
    drops = kept_with_bar(
        ("explained-by-occlusion", *cell),
        "Covering the cell part by part",
        lambda told, _: occlusion_maps(engine, crop, on_progress=told),
    )
    left, right = st.columns(2, gap="small")
    with left:
        _occlusion(large, drops[chosen], model.class_names[chosen], key)
    with right:
        found = _look_inside(model, crop[None], (GRADCAM, LAYERS), "", key)
        if found is not None:
            _gradcam(large, found, chosen, key)
    if found is not None:
        _layers(found.layers, key)
    st.caption(NOT_A_REASON)


def show_class_mean(model: ModelInfo, crops: np.ndarray, of_class: str, *, key: str) -> None:
    """Show where a model looks on average at the cells of a class; all of it is worked out by a job.

    A page that calls this also calls `follow`, outside of its fragments.

    Parameters
    ----------
    crops : uint8 array of shape (N, H, W, 3), as `explain.class_cells.class_crops` gives them; one or more
    of_class : the class that they belong to, of the model's
    key : begins the keys of the widgets; another one for each class
    """
    methods = METHODS if _why_closed(model) == "" else (OCCLUSION,)
    chosen = _ask_class(model.class_names, of_class, of_class, key)
    found = _look_inside(model, crops, methods, of_class, key)
    if found is not None:
        left, right = st.columns(2, gap="small")
        large = mean_crop(crops)
        with left:
            if found.occlusion is not None:
                _occlusion(large, found.occlusion[chosen], found.class_names[chosen], key)
        with right:
            _gradcam(large, found, chosen, key)
        _layers(found.layers, key)
        st.caption(f"Mean over {counted(found.n_cells, 'cell')}. {NOT_A_REASON}")


def follow() -> None:
    """Draw the page anew when an explanation that was asked for begins or ends; a page calls it once, at its end.

    Streamlit's fragments that run by themselves must not lie in another one, so this cannot be where the maps are.
    """
    busy = _busy()
    if busy:
        st.fragment(_follow, run_every=1)(busy)


def _follow(before: list[tuple[int, str]]) -> None:
    resources.jobs().tend()
    if _busy() != before:
        st.rerun()


def _busy() -> list[tuple[int, str]]:
    jobs = store.list_jobs(resources.database(), (store.QUEUED, store.RUNNING))
    return [(job.id, job.status) for job in jobs if job.kind == EXPLAIN.name]


def _ask_class(class_names: Sequence[str], predicted: str, true: str, key: str) -> int:
    """Which class the maps are for: the place of its name."""

    def words(name: str) -> str:
        marks = [mark for mark, one in (("predicted", predicted), ("true", true)) if one == name and predicted != true]
        return f"{theme.label_words(name)} ({marks[0]})" if marks else theme.label_words(name)

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


def _occlusion(large: np.ndarray, drops: np.ndarray, class_name: str, key: str) -> None:
    st.markdown(
        "**By covering parts**",
        help="Each part of the picture is covered in turn. Orange: the probability drops without it, so it speaks for the "
        "class. Blue: the probability rises, so it speaks against it.",
    )
    st.plotly_chart(
        map_figure(large, drops, OCCLUSION_UNIT, map_range(drops), signed=True),
        config=NO_BAR,
        key=f"{key}-occlusion",
        alt="Map of how much the probability drops where a part is covered",
    )
    if drops.max() < LEAST_DROP:
        st.caption(
            f"No single part decides: covered alone, none lowers {plain(theme.label_words(class_name))} by 2 points."
        )


def _gradcam(large: np.ndarray, found: Explanation, chosen: int, key: str) -> None:
    if found.gradcam is None:
        return
    height, width = found.gradcam_places
    st.markdown(
        "**Grad-CAM**",
        help=f"Which places of the layer {plain(found.gradcam_layer)} raise the score of the class. The layer has "
        f"{height} x {width} places only, so the map is as coarse as that.",
    )
    st.plotly_chart(
        map_figure(large, found.gradcam[chosen], GRADCAM_UNIT, 1.0, signed=False),
        config=NO_BAR,
        key=f"{key}-gradcam",
        alt="Map of the places that speak for the class",
    )
    if not found.gradcam[chosen].any():
        st.caption("Nothing in this layer speaks for the class.")


def _layers(layers: Sequence[LayerMaps], key: str) -> None:
    if not layers:
        return
    st.markdown(
        "**Layer by layer**",
        help="What the layers of the network put out, from the picture on: the most active channels of each. White is "
        "the highest value among them, black the lowest.",
    )
    names = {layer.name: layer for layer in layers}
    layer = names[st.select_slider("Layer", list(names), key=f"{key}-layer", label_visibility="collapsed")]
    pictures = [
        (data_uri(encode_png(channel_picture(values)), "png"), f"{number}")
        for number, values in zip(layer.channels, layer.maps, strict=True)
    ]
    show_figures(pictures, f"repeat({A_ROW},minmax(0,1fr))")
    st.caption(plain(f"{layer.words}; the most active are shown."))


def _look_inside(
    model: ModelInfo, crops: np.ndarray, methods: tuple[str, ...], of_class: str, key: str
) -> Explanation | None:
    """What a job has found; until then an offer to begin one, or how it goes."""
    spec = explanations.explain_spec(model, crops, methods, of_class)
    found = explanations.found(load_settings(), spec)
    if found is not None:
        explanations.forget(resources.jobs(), spec)
        return found
    closed = _why_closed(model) if GRADCAM in methods else ""
    if closed:
        st.caption(plain(closed))
        return None
    job = explanations.job_of(resources.jobs(), spec)
    if job is not None and not job.is_over:
        st.status(_where(job), state="running")
    elif _offer(job, "Work out the mean" if of_class else "Look inside the network", key):
        explanations.ask(resources.jobs(), spec, crops, state.who())
        st.rerun()
    return None


def _offer(job: Job | None, words: str, key: str) -> bool:
    """A button that begins the work, and what became of it before."""
    if job is not None and job.status == store.FAILED:
        st.error(plain(job.error), icon=":material/error:")
    elif job is not None and job.status in store.UNFINISHED:
        st.info("It was stopped before it had ended.", icon=":material/stop:")
    return st.button(
        words if job is None else "Try again",
        icon=":material/network_node:",
        key=f"{key}-inside",
        help="Grad-CAM, and pictures of what each layer puts out. It loads the training library in the background and "
        "takes some ten seconds; you can go on meanwhile.",
    )


def _where(job: Job) -> str:
    if job.status == store.QUEUED:
        return "Waits for another explanation"
    done, total = job.progress.get("done", 0), job.progress.get("total", 0)
    return f"Looking inside: {done} of {total} cells" if total > 1 else "Looking inside …"


def _why_closed(model: ModelInfo) -> str:
    """Why a model cannot be looked into, "" where it can."""
    try:
        cam_layer_of(model.folder)
    except ExplainError as error:
        return str(error)
    return ""

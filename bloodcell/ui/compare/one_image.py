"""One uploaded image through several models, side by side."""

import hashlib
from functools import partial

import pandas as pd
import streamlit as st

from bloodcell.core.errors import ImageError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.sources.uploads import read_uploads
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_jpeg, read_rgb
from bloodcell.inference.field_finder import make_batch_finder
from bloodcell.inference.pipeline import analyse, crop_for_display
from bloodcell.inference.results import ImageResult
from bloodcell.model_store.library import ModelInfo, list_models
from bloodcell.plots import theme
from bloodcell.plots.cell_images import draw_boxes
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import data_uri, show_image_grid
from bloodcell.ui.shared.messages import escape_md, show_errors

FIELD_PX, TILE_PX = 760, 96
FILE_TYPES = ("png", "jpg", "jpeg", "bmp", "tif", "tiff")


def show_one_image() -> None:
    """Ask for an image and models, and show what each predicts for every cell."""
    models = {model.name: model for model in list_models(load_settings())}
    if not models:
        st.info("There is no model in the model library.", icon=":material/inventory_2:")
        return
    left, right = st.columns([3, 4], gap="medium", vertical_alignment="bottom")
    upload = left.file_uploader("One image", FILE_TYPES, key="compare-picture")
    names = right.multiselect("Models", list(models), list(models)[:3], key="compare-picture-models", max_selections=6)
    if upload is None or not names:
        st.caption("Drop an image to see what each model predicts for every white cell in it.")
        return
    with show_errors():
        data = _read_upload(upload.name, upload.getvalue())
        digest = hashlib.sha256(data).hexdigest()
        results = {
            name: get_or_compute(
                ("one image", digest, models[name].sha256), partial(_analyse_image, models[name], data)
            )
            for name in names
        }
        _show_predictions(data, results)


def _read_upload(name: str, data: bytes) -> bytes:
    """Return the bytes of an upload that is one image; ImageError for any other."""
    file = next(read_uploads([(name, data)]), None)
    if file is None or file.data is None:
        raise ImageError(file.problem if file is not None else f"{name} contains no image.")
    return file.data


def _analyse_image(model: ModelInfo, data: bytes) -> ImageResult:
    engine = resources.get_engine(str(model.folder), model.sha256)
    finder, _, images = make_batch_finder(resources.get_detector(), [data], engine.class_names)
    (result,) = analyse(engine, images, finder)
    return result


def _show_predictions(data: bytes, results: dict[str, ImageResult]) -> None:
    most_cells = max(results.values(), key=lambda result: len(result.cells))
    if not most_cells.cells:
        message = most_cells.message or "No white cell was found in this image."
        st.info(escape_md(message), icon=":material/search_off:")
        return
    rgb, boxes = read_rgb(data), [cell.box for cell in most_cells.cells]
    left, right = st.columns([5, 6], gap="medium")
    with left:
        field = encode_jpeg(draw_boxes(rgb, boxes, None, FIELD_PX))
        show_image_grid([(data_uri(field), f"{format_count(len(boxes), 'white cell')} found")], "1fr")
    rows = []
    for box in boxes:
        row = {"Cell": data_uri(encode_jpeg(crop_for_display(rgb, box, TILE_PX)))}
        for name, result in results.items():
            cell = next((cell for cell in result.cells if cell.box == box), None)
            row[name] = "-" if cell is None else _format_prediction(cell.class_name, max(cell.probs), cell.status)
        rows.append(row | {"Agreement": _describe_agreement(results, box)})
    right.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="compare-picture-table",
        row_height=64,
        column_config={"Cell": st.column_config.ImageColumn()},
    )
    right.caption("A dash: the model looks at the whole image and classifies only its largest cell.")


def _format_prediction(class_name: str, prob: float, status: str) -> str:
    return f"{theme.STATUS_STYLES[status].sign} {theme.format_label(class_name)} {100 * prob:.0f} %"


def _describe_agreement(results: dict[str, ImageResult], box: Box) -> str:
    class_names = {cell.class_name for result in results.values() for cell in result.cells if cell.box == box}
    return "yes" if len(class_names) == 1 else "no"

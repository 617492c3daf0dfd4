"""One uploaded picture through several models, side by side."""

import hashlib
from functools import partial

import pandas as pd
import streamlit as st

from bloodcell.core.errors import ImageError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.sources.uploads import read_uploads
from bloodcell.imaging.read import encode_jpeg, read_rgb
from bloodcell.inference.pipeline import analyse
from bloodcell.inference.results import ImageResult
from bloodcell.model_store.library import ModelInfo, list_models
from bloodcell.plots import theme
from bloodcell.plots.cell_images import draw_boxes
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import data_uri, show_image_grid
from bloodcell.ui.shared.messages import escape_md, show_errors

FIELD_PX, TILE_PX = 760, 96
FILE_TYPES = ("png", "jpg", "jpeg", "bmp", "tif", "tiff")


def show() -> None:
    """Ask for a picture and models, and show what each says of every cell."""
    models = {model.name: model for model in list_models(load_settings())}
    if not models:
        st.info("There is no model on the shelf.", icon=":material/inventory_2:")
        return
    left, right = st.columns([3, 4], gap="medium", vertical_alignment="bottom")
    uploaded = left.file_uploader("One picture", FILE_TYPES, key="compare-picture")
    names = right.multiselect("Models", list(models), list(models)[:3], key="compare-picture-models", max_selections=6)
    if uploaded is None or not names:
        st.caption("Drop a picture: every white cell in it is shown with the answer of each model.")
        return
    with show_errors():
        data = _check_upload(uploaded.name, uploaded.getvalue())
        digest = hashlib.sha256(data).hexdigest()
        results = {
            name: get_or_compute(
                ("one picture", digest, models[name].sha256), partial(_classify_image, models[name], data)
            )
            for name in names
        }
        _show_predictions(data, results)


def _check_upload(name: str, data: bytes) -> bytes:
    """The bytes of an upload that is one picture; ImageError says what is wrong with any other."""
    file = next(read_uploads([(name, data)]), None)
    if file is None or file.data is None:
        raise ImageError(file.problem if file is not None else f"{name} holds no picture.")
    return file.data


def _classify_image(model: ModelInfo, data: bytes) -> ImageResult:
    (result,) = analyse(resources.get_engine(str(model.folder), model.sha256), [data])
    return result


def _show_predictions(data: bytes, results: dict[str, ImageResult]) -> None:
    first = max(results.values(), key=lambda one: len(one.cells))
    if not first.cells:
        st.info(escape_md(first.message or "No white cell was found in this picture."), icon=":material/search_off:")
        return
    boxes = [cell.box for cell in first.cells]
    left, right = st.columns([5, 6], gap="medium")
    with left:
        field = draw_boxes(read_rgb(data), boxes, None, FIELD_PX)
        show_image_grid(
            [(data_uri(encode_jpeg(field)), "The cells as they were found, boxes numbered as in the table")], "1fr"
        )
    rows = []
    for number, box in enumerate(boxes, start=1):
        row: dict[str, str] = {"Cell": f"{number}, at {box.left}, {box.top}"}
        for name, result in results.items():
            cell = next((one for one in result.cells if one.box == box), None)
            row[name] = "-" if cell is None else _format_prediction(cell.class_name, max(cell.probs), cell.status)
        row["They"] = _describe_agreement(results, box)
        rows.append(row)
    right.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="compare-picture-table",
        row_height=64,
        column_config={"Cell": st.column_config.ImageColumn()},
    )
    right.caption("A dash: a model that looks at the whole picture names only the largest cell.")


def _format_prediction(class_name: str, prob: float, status: str) -> str:
    return f"{theme.STATUS_STYLES[status].sign} {theme.format_label(class_name)} {100 * prob:.0f} %"


def _describe_agreement(results: dict[str, ImageResult], box: object) -> str:
    class_names = {cell.class_name for result in results.values() for cell in result.cells if cell.box == box}
    return "agree" if len(class_names) == 1 else "differ"

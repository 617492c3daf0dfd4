"""One uploaded picture through several models, side by side."""

import hashlib
from functools import partial

import pandas as pd
import streamlit as st

from bloodcell.core.errors import ImageError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.sources.uploads import from_uploads
from bloodcell.imaging.read import encode_jpeg, read_rgb
from bloodcell.inference.pipeline import analyse
from bloodcell.inference.results import ImageResult
from bloodcell.model_store.folder import ModelInfo, list_models
from bloodcell.plots import theme
from bloodcell.plots.cell_images import field_with_boxes
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.cache import kept
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.image_rows import data_uri, show_figures
from bloodcell.ui.shared.text import plain

FIELD_PX, TILE_PX = 760, 96
KINDS = ("png", "jpg", "jpeg", "bmp", "tif", "tiff")


def show() -> None:
    """Ask for a picture and models, and show what each says of every cell."""
    models = {model.name: model for model in list_models(load_settings())}
    if not models:
        st.info("There is no model on the shelf.", icon=":material/inventory_2:")
        return
    left, right = st.columns([3, 4], gap="medium", vertical_alignment="bottom")
    uploaded = left.file_uploader("One picture", KINDS, key="compare-picture")
    names = right.multiselect("Models", list(models), list(models)[:3], key="compare-picture-models", max_selections=6)
    if uploaded is None or not names:
        st.caption("Drop a picture: every white cell in it is shown with the answer of each model.")
        return
    with show_errors():
        data = _checked(uploaded.name, uploaded.getvalue())
        digest = hashlib.sha256(data).hexdigest()
        found = {
            name: kept(("one picture", digest, models[name].sha256), partial(_asked, models[name], data))
            for name in names
        }
        _show_answers(data, found)


def _checked(name: str, data: bytes) -> bytes:
    """The bytes of an upload that is one picture; ImageError says what is wrong with any other."""
    file = next(from_uploads([(name, data)]), None)
    if file is None or file.data is None:
        raise ImageError(file.problem if file is not None else f"{name} holds no picture.")
    return file.data


def _asked(model: ModelInfo, data: bytes) -> ImageResult:
    (result,) = analyse(resources.engine(str(model.folder), model.sha256), [data])
    return result


def _show_answers(data: bytes, found: dict[str, ImageResult]) -> None:
    first = max(found.values(), key=lambda one: len(one.cells))
    if not first.cells:
        st.info(plain(first.message or "No white cell was found in this picture."), icon=":material/search_off:")
        return
    boxes = [cell.box for cell in first.cells]
    left, right = st.columns([5, 6], gap="medium")
    with left:
        field = field_with_boxes(read_rgb(data), boxes, None, FIELD_PX)
        show_figures(
            [(data_uri(encode_jpeg(field)), "The cells as they were found, boxes numbered as in the table")], "1fr"
        )
    rows = []
    for number, box in enumerate(boxes, start=1):
        row: dict[str, str] = {"Cell": f"{number}, at {box.left}, {box.top}"}
        for name, result in found.items():
            cell = next((one for one in result.cells if one.box == box), None)
            row[name] = "-" if cell is None else _words(cell.class_name, max(cell.probs), cell.status)
        row["They"] = _agreement(found, box)
        rows.append(row)
    right.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="compare-picture-table",
        row_height=64,
        column_config={"Cell": st.column_config.ImageColumn()},
    )
    right.caption("A dash: a model that looks at the whole picture names only the largest cell.")


def _words(class_name: str, prob: float, status: str) -> str:
    return f"{theme.STATUS_LOOKS[status].sign} {theme.label_words(class_name)} {100 * prob:.0f} %"


def _agreement(found: dict[str, ImageResult], box: object) -> str:
    said = {cell.class_name for result in found.values() for cell in result.cells if cell.box == box}
    return "agree" if len(said) == 1 else "differ"

"""Where the evaluated model looks on average in the images of a class."""

import numpy as np
import numpy.typing as npt
import streamlit as st

from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.explain.explain_cells import MAX_CELLS, cut_class_crops
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.ui.evaluate.evaluation_library import get_evaluated_model, load_evaluation
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.explanation_view import show_class_mean

_SUBSETS = {"all": "all", "right": "correctly predicted", "wrong": "incorrectly predicted"}


def show(info: EvaluationInfo, dataset: Dataset | None) -> None:
    """Ask for a class and which of its images, and show the mean over some of them."""
    if dataset is None:
        st.info("The dataset is no longer registered, so its images cannot be read.", icon=":material/folder_off:")
        return
    model = get_evaluated_model(info)
    left, right = st.columns(2, gap="medium")
    names = info.protocol.class_names
    label = left.selectbox("True class", names, format_func=format_label, key="evaluation-looks-label")
    which = right.selectbox("Images", list(_SUBSETS), format_func=_SUBSETS.__getitem__, key="evaluation-looks-which")
    table = load_evaluation(info).prediction_table
    rows = table[(table["label"] == label) & (table["prediction"] != "")]
    if which != "all":
        rows = rows[(rows["prediction"] == label) == (which == "right")]
    if rows.empty:
        st.caption("There are no such images.")
        return
    st.caption(f"Mean over {f'{MAX_CELLS} of ' if len(rows) > MAX_CELLS else ''}{format_count(len(rows), 'image')}.")

    def cut_crops() -> npt.NDArray[np.uint8]:
        records = [Record(file, label) for file in rows["file"]]
        with Contents(dataset.path) as images, st.spinner("Reading images …"):
            return cut_class_crops(resources.get_engine(str(model.folder), model.sha256), images, records, label)

    cell_crops = get_or_compute(("looks", info.name, info.protocol.created, label, which), cut_crops)
    show_class_mean(model, cell_crops, label, key=f"evaluation-looks-{info.name}-{label}-{which}")

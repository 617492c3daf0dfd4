"""The model library: a table of all models, and the card and metrics of the chosen one."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.core.errors import ModelError
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.library import ModelInfo
from bloodcell.model_store.model_zip import pack_model
from bloodcell.plots import theme
from bloodcell.ui.shared.messages import escape_md

_IMAGE_LINK = re.compile(r"!\[[^\]]*\]\([^)]*\)")  # a card must not make the browser load anything
_HEADING = re.compile(r"^(#{1,4} )", re.MULTILINE)
_METRIC_TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "confident_right": "Accuracy where confident",
    "held_back": "Flagged for review",
    "ece": "Calibration error (ECE)",
}


def choose_model(models: Sequence[ModelInfo]) -> ModelInfo:
    """Show a table of models and ask for one; return the first where there is no other.

    Parameters
    ----------
    models : sequence of ModelInfo
        One or more.

    Returns
    -------
    ModelInfo
    """
    table = pd.DataFrame(
        {
            "Name": [model.name for model in models],
            "Title": [model.title for model in models],
            "Classes": [", ".join(map(theme.format_label, model.class_names)) for model in models],
            "Thresholds": ["measured" if model.io_spec.has_thresholds else "not measured" for model in models],
            "SHA-256": [model.sha256[:12] for model in models],
        }
    )
    st.dataframe(table, hide_index=True, key="models-shelf")
    if len(models) == 1:
        return models[0]
    names = [model.name for model in models]
    name = st.selectbox("Show model", names, key="models-choice", bind="query-params")
    return models[names.index(name)]


def show_metrics(model: ModelInfo) -> None:
    """Show the metrics of a model, with intervals where there are any.

    Raises
    ------
    ModelError
        If its metrics.json is damaged or holds other things than metrics.
    """
    try:
        rows = make_metric_rows(ModelFolder(model.folder).read_metrics())
    except (TypeError, ValueError, AttributeError) as error:  # of a model from elsewhere
        raise ModelError(f"The metrics of the model {model.name} are not valid.") from error
    st.subheader("Metrics", anchor=False)
    if not rows:
        st.caption("No metrics were saved with this model.")
        return
    st.dataframe(pd.DataFrame(rows).dropna(axis=1, how="all").fillna("-"), hide_index=True, key="models-figures")
    st.caption("In brackets: the 95 % interval. Flagged for review: the share of cells marked Check or Unfamiliar.")


def show_card(folder: Path, key: str = "models-card") -> None:
    """Show the card of the model in a folder; ModelError where it cannot be read."""
    try:
        text = ModelFolder(folder).card_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        st.caption("This model has no card.")
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The card of the model {folder.name} cannot be read: {error}.") from error
    with st.container(border=True, key=key):
        st.markdown(_HEADING.sub(r"##\1", _IMAGE_LINK.sub("", text).replace("![", "[")))
    st.caption(f"Folder: {escape_md(str(folder))}")


def show_detector() -> None:
    """Show the card of the detector that finds the cells of fields, before a model classifies the white ones."""
    with st.expander("The detector that finds white cells, red cells and platelets", icon=":material/search:"):
        show_card(SHIPPED_DETECTOR, key="models-detector-card")


def offer_download(model: ModelInfo) -> None:
    """Offer the folder of a model as a zip, packed on the click."""
    st.download_button(
        "Download as zip",
        data=partial(pack_model, model.folder),
        file_name=f"{model.name}.zip",
        mime="application/zip",
        icon=":material/download:",
        key="models-download",
        on_click="ignore",
        help="All files of the model. Another Bloodcell can load it on its Models page, with the same predictions.",
    )


def make_metric_rows(metrics: dict[str, Any]) -> list[dict[str, str | None]]:
    """Turn metrics into the rows of a table.

    Parameters
    ----------
    metrics : dict
        As `ModelFolder.read_metrics` returns it.

    Returns
    -------
    list of dict
        A row for each set of images with an accuracy: column title -> text, None where it was not measured.

    Raises
    ------
    TypeError, ValueError, AttributeError
        If values are not what their keys promise, as may be in a model from elsewhere.

    Examples
    --------
    >>> make_metric_rows({"test": {"images": 1200, "accuracy": 0.912, "interval": [0.88, 0.94]}})[0]["Accuracy"]
    '91.2 % (88.0 to 94.0)'
    """
    rows = []
    for measured_on, part in _walk_metrics(metrics, ()):
        row: dict[str, str | None] = {"Measured on": measured_on}
        count = part.get("images", part.get("n_images"))
        row["Images"] = f"{count:,}" if isinstance(count, int) else None
        for key, title in _METRIC_TITLES.items():
            row[title] = _format_percent(part.get(key), part.get(f"{key}_interval"))
        if "interval" in part:
            row[_METRIC_TITLES["accuracy"]] = _format_percent(part.get("accuracy"), part["interval"])
        for name, recall in (part.get("recall") or part.get("per_class_recall") or {}).items():
            share, interval = (
                (recall, None) if not isinstance(recall, dict) else map(recall.get, ("recall", "interval"))
            )
            row[f"{theme.format_label(name)} recall"] = _format_percent(share, interval)
        rows.append(row)
    return rows


def _walk_metrics(part: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every dict of nested metrics that states an accuracy, with the names on the way to it."""
    if isinstance(part.get("accuracy"), int | float):
        yield ", ".join(path).replace("_", " ") or "all", part
    for name, inner in part.items():
        if isinstance(inner, dict):
            yield from _walk_metrics(inner, path if name == "per_source" else (*path, str(name)))


def _format_percent(value: Any, interval: Any) -> str | None:
    if not isinstance(value, int | float) or value != value:
        return None
    text = f"{100 * value:.1f} %"
    if isinstance(interval, list | tuple) and len(interval) == 2:
        text += f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return text

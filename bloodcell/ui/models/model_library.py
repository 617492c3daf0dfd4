"""The shelf of models: a table of all, and the chosen one's card and figures."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.core.errors import ModelError
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.library import ModelInfo
from bloodcell.model_store.model_zip import pack_model
from bloodcell.plots import theme
from bloodcell.ui.shared.messages import escape_md

_IMAGE_LINK = re.compile(r"!\[[^\]]*\]\([^)]*\)")  # a card must not make the browser load anything
_HEADING = re.compile(r"^(#{1,4} )", re.MULTILINE)
_METRIC_WORDS = {
    "accuracy": "Right",
    "balanced_accuracy": "Right, classes weighed equally",
    "confident_right": "Confident and right",
    "held_back": "Held back for a look",
    "ece": "Calibration error",
}


def choose_model(models: Sequence[ModelInfo]) -> ModelInfo:
    """Show the shelf and ask for one model; the first one where nothing is chosen."""
    table = pd.DataFrame(
        {
            "Name": [model.name for model in models],
            "Title": [model.title for model in models],
            "Classes": [", ".join(map(theme.format_label, model.class_names)) for model in models],
            "Thresholds": ["measured" if model.io_spec.has_thresholds else "none: all Check" for model in models],
            "Fingerprint": [model.sha256[:12] for model in models],
        }
    )
    st.dataframe(table, hide_index=True, key="models-shelf")
    if len(models) == 1:
        return models[0]
    names = [model.name for model in models]
    name = st.selectbox("Show the card of", names, key="models-choice", bind="query-params")
    return models[names.index(name)]


def show_metrics(model: ModelInfo) -> None:
    """Show what was measured for a model, with intervals where there are any."""
    try:
        rows = make_metric_rows(ModelFolder(model.folder).read_metrics())
    except (TypeError, ValueError, AttributeError) as error:  # of a model from elsewhere
        raise ModelError(f"The figures of the model {model.name} make no sense.") from error
    st.subheader("Figures", anchor=False)
    if not rows:
        st.caption("No figures are kept with this model.")
        return
    st.dataframe(pd.DataFrame(rows).dropna(axis=1, how="all").fillna("-"), hide_index=True, key="models-figures")
    st.caption(
        "In brackets: the range that holds the true value with 95 % probability. Held back: cells marked "
        "Check or Unfamiliar."
    )


def show_card(model: ModelInfo) -> None:
    """Show the model's card."""
    try:
        text = ModelFolder(model.folder).card_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        st.caption("This model has no card.")
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The card of the model {model.name} cannot be read: {error}.") from error
    with st.container(border=True, key="models-card"):
        st.markdown(_HEADING.sub(r"##\1", _IMAGE_LINK.sub("", text).replace("![", "[")))
    st.caption(f"Folder: {escape_md(str(model.folder))}")


def offer_download(model: ModelInfo) -> None:
    """Offer the model's folder as a zip, made when it is asked for."""
    st.download_button(
        "Download as a zip",
        data=partial(pack_model, model.folder),
        file_name=f"{model.name}.zip",
        mime="application/zip",
        icon=":material/download:",
        key="models-download",
        on_click="ignore",
        help="All files of the model. Load a model, on this page of any Bloodcell, takes it in, and it answers the same.",
    )


def make_metric_rows(metrics: dict[str, Any]) -> list[dict[str, str | None]]:
    """Turn metrics into rows to show, one for each set of images that something was measured on."""
    rows = []
    for where, part in _walk_metrics(metrics, ()):
        row: dict[str, str | None] = {"Measured on": where}
        count = part.get("images", part.get("n_images"))
        row["Images"] = f"{count:,}" if isinstance(count, int) else None
        for key, words in _METRIC_WORDS.items():
            row[words] = _format_percent(part.get(key), part.get(f"{key}_interval"))
        if "interval" in part:
            row[_METRIC_WORDS["accuracy"]] = _format_percent(part.get("accuracy"), part["interval"])
        for name, recall in (part.get("recall") or part.get("per_class_recall") or {}).items():
            share, interval = (
                (recall, None) if not isinstance(recall, dict) else map(recall.get, ("recall", "interval"))
            )
            row[f"{theme.format_label(name)} found"] = _format_percent(share, interval)
        rows.append(row)
    return rows


def _walk_metrics(part: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk through nested metrics and give every dict that states an accuracy."""
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

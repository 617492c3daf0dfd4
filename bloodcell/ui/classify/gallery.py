"""The gallery component: tiles of cells that respond to clicks and keys at once, without an iframe."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from bloodcell.core.labels import EXTRA_DECISIONS
from bloodcell.plots import theme
from bloodcell.ui.shared.layout import read_assets
from bloodcell.ui.shared.state import Bench

PAGE_SIZES = (24, 36, 48, 60)
_HERE = Path(__file__).parent


_COMPONENT = st.components.v2.component(
    "bloodcell_gallery",
    html=read_assets(_HERE, "gallery.html"),
    css=read_assets(_HERE, "gallery.css"),
    js=read_assets(_HERE, "outbox.js", "gallery.js"),
)


@dataclass(frozen=True)
class Choice:
    """One label that a person can give.

    Attributes
    ----------
    key : str
        The key to press, "" for none.
    label : str
    title : str
        The label as it is shown.
    """

    key: str
    label: str
    title: str


def list_choices(class_names: Sequence[str]) -> list[Choice]:
    """Return the labels with their keys: the classes in their order, then those that no model predicts.

    Parameters
    ----------
    class_names : sequence of str
        The classes of the model.

    Returns
    -------
    list of Choice
        The first nine have the keys 1 to 9, the tenth has 0; later ones have none and are chosen by a click.

    Examples
    --------
    >>> [(choice.key, choice.title) for choice in list_choices(["MONOCYTE"])]
    [('1', 'Monocyte'), ('2', 'Other cell'), ('3', 'Not a white cell')]
    """
    labels = (*class_names, *EXTRA_DECISIONS)
    return [
        Choice(str(number % 10) if number <= 10 else "", label, theme.format_label(label))
        for number, label in enumerate(labels, start=1)
    ]


def get_component_key(batch_id: int) -> str:
    """Return the widget key of the gallery of a batch."""
    return f"classify-gallery-{batch_id}"


def find_page(bench: Bench) -> tuple[int, tuple[int, ...]]:
    """Return the number (from 1) and the cell ids of the page with the open cell; the first page where none is open."""
    if bench.chosen not in bench.order:
        return 1, bench.order[: bench.page_size]
    page = bench.order.index(bench.chosen) // bench.page_size
    return page + 1, bench.order[page * bench.page_size : (page + 1) * bench.page_size]


def show_gallery(
    bench: Bench,
    cells: pd.DataFrame,
    crops: Sequence[str],
    class_names: Sequence[str],
    on_events: Callable[[], None],
) -> None:
    """Show one page of cells.

    Parameters
    ----------
    bench : Bench
    cells : DataFrame
        The rows of `bench.table` on this page, in the order to show.
    crops : sequence of str
        Their images as data URIs, in the same order.
    class_names : sequence of str
        The classes of the model.
    on_events : callable
        Called before the next run when a person did something; `state.read_events` then returns it.
    """
    page, _ = find_page(bench)
    tiles = [
        {
            "cell": int(cell.Index),
            "crop": crop,
            "name": f"{cell.file_name}, cell {cell.cell_number}",
            "prediction": cell.prediction,
            "confidence": f"{100 * cell.confidence:.0f} %",
            "status": cell.status,
            "decision": cell.correction,
        }
        for cell, crop in zip(cells.itertuples(), crops, strict=True)
    ]
    labels = {*class_names, *EXTRA_DECISIONS, *cells["label"], *cells["prediction"]}
    _COMPONENT(
        key=get_component_key(bench.batch_id),
        data={
            "tiles": tiles,
            "choices": [asdict(choice) for choice in list_choices(class_names)],
            "titles": {label: theme.format_label(label) for label in labels},
            "statuses": {name: asdict(style) for name, style in theme.STATUS_STYLES.items()},
            "chosen": bench.chosen,
            "page": page,
            "pages": max(1, -(-len(bench.order) // bench.page_size)),
            "page_size": bench.page_size,
            "n_cells": len(bench.order),
            "batch": bench.batch_id,
            "session": bench.session,
            "client": bench.client,
            "acknowledged": bench.acknowledged,
        },
        on_events_change=on_events,
    )

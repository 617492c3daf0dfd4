"""The gallery component: tiles of cells that answer clicks and keys at once, without an iframe."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from bloodcell.core.labels import EXTRA_DECISIONS
from bloodcell.plots import theme
from bloodcell.ui.shared.state import Bench

PAGE_SIZES = (24, 36, 48, 60)
_HERE = Path(__file__).parent


def _read_asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_COMPONENT = st.components.v2.component(
    "bloodcell_gallery", html=_read_asset("gallery.html"), css=_read_asset("gallery.css"), js=_read_asset("gallery.js")
)


@dataclass(frozen=True)
class Choice:
    """One decision that a person can take: the key to press and the label it gives."""

    key: str
    label: str
    words: str


def list_choices(class_names: Sequence[str]) -> list[Choice]:
    """Number the decisions: the model's classes in their order, then the ones that no model predicts.

    The tenth has the key 0; behind it there is no key left, and such a decision is taken by a click.
    """
    labels = (*class_names, *EXTRA_DECISIONS)
    return [
        Choice(str(number % 10) if number <= 10 else "", label, theme.format_label(label))
        for number, label in enumerate(labels, start=1)
    ]


def get_component_key(batch_id: int) -> str:
    """Return the widget key of a batch's gallery."""
    return f"classify-gallery-{batch_id}"


def find_page(bench: Bench) -> tuple[int, tuple[int, ...]]:
    """Return the number (from 1) and the cells of the page that holds the chosen cell."""
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
    bench : the opened batch
    cells : the rows of `bench.table` on this page, in the order to show
    crops : their pictures as data URIs, same order
    on_events : called before the next run when a person did something; `state.read_events` then has it
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
    shown = list_choices(class_names)
    labels = {*class_names, *EXTRA_DECISIONS, *cells["label"], *cells["prediction"]}
    _COMPONENT(
        key=get_component_key(bench.batch_id),
        data={
            "tiles": tiles,
            "choices": [asdict(choice) for choice in shown],
            "words": {label: theme.format_label(label) for label in labels},
            "statuses": {name: asdict(style) for name, style in theme.STATUS_STYLES.items()},
            "chosen": bench.chosen,
            "page": page,
            "pages": max(1, -(-len(bench.order) // bench.page_size)),
            "page_size": bench.page_size,
            "n_cells": len(bench.order),
            "session": bench.session,
            "client": bench.client,
            "acknowledged": bench.acknowledged,
        },
        on_events_change=on_events,
    )

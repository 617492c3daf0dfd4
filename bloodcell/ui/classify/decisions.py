"""Apply what a gallery sends (cell opened, label given, undo) to the database and the bench."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine as Database

from bloodcell.core.errors import BloodcellError
from bloodcell.reports.numbers import format_count
from bloodcell.review.corrections import add_correction, list_corrections, undo_last_correction
from bloodcell.ui.shared.events import read_int, take_new_events
from bloodcell.ui.shared.state import Bench

# "hello" does nothing: a gallery that was disconnected asks by it whether this session still knows it.
KINDS = ("choose", "label", "confirm", "undo", "step", "page", "hello")


@dataclass(frozen=True)
class Event:
    """One thing that a person did in the gallery.

    Attributes
    ----------
    number : int
        Counted from 1 by the gallery.
    kind : str
        One of `KINDS`.
    cell : int or None
        Id of the cell that was open at that moment.
    label : str, default ""
        For kind "label".
    step : int, default 0
        For kinds "step" and "page": on (1) or back (-1).
    """

    number: int
    kind: str
    cell: int | None
    label: str = ""
    step: int = 0


def apply_events(bench: Bench, sent: list[Any], db: Database, who: str) -> None:
    """Apply the new events in their order.

    An error of the database ends it: the bench returns to the first cell whose review was not saved and says so.
    Later events of the list are dropped too, as the person took the earlier ones for saved.

    Parameters
    ----------
    bench : Bench
        Patched in place; `acknowledged` counts what was applied, `problem` says what went wrong.
    sent : list
        As `state.read_events` returns it: not checked, and with events that were applied before.
    db : sqlalchemy.Engine
    who : str
        Initials of the person.
    """
    bench.problem = ""
    events = _read_new_events(bench, sent)
    for index, event in enumerate(events):
        try:
            _apply_event(bench, event, db, who)
        except BloodcellError as error:
            n_lost = sum(later.kind in ("label", "confirm", "undo") for later in events[index:])
            bench.problem = f"{error} ({format_count(n_lost, 'change')} not saved.)"
            if event.cell in bench.table.index:
                bench.chosen = event.cell
            return


def _read_new_events(bench: Bench, sent: list[Any]) -> list[Event]:
    """Read the events of this bench that were not applied before."""
    return [
        Event(
            raw["number"],
            raw["kind"],
            read_int(raw.get("cell")),
            str(raw.get("label", "")),
            read_int(raw.get("step")) or 0,
        )
        for raw in take_new_events(bench, sent, KINDS)
    ]


def _apply_event(bench: Bench, event: Event, db: Database, who: str) -> None:
    if event.kind == "undo":
        _undo_last(bench, db, who)
    elif event.kind in ("step", "page"):
        _move_choice(bench, event)
    elif event.cell is None or event.cell not in bench.table.index:
        return
    elif event.kind == "choose":
        bench.chosen = event.cell
    else:
        # Confirming says that the label on the screen is correct: a corrected one stays as it is.
        label = event.label if event.kind == "label" else str(bench.table.at[event.cell, "label"])
        if label != bench.table.at[event.cell, "correction"]:
            add_correction(db, event.cell, label, who)
            _patch_cell(bench, event.cell, label)
        bench.chosen = _find_next_cell(bench, event.cell)


def _undo_last(bench: Bench, db: Database, who: str) -> None:
    cell_id = undo_last_correction(db, bench.batch_id, who)
    if cell_id is None:
        bench.problem = "You have nothing to undo in this batch."
        return
    labels = [correction.label for correction in list_corrections(db, cell_id) if not correction.undone_when]
    _patch_cell(bench, cell_id, labels[-1] if labels else "")
    if cell_id in bench.order:
        bench.chosen = cell_id


def _patch_cell(bench: Bench, cell_id: int, correction: str) -> None:
    """Update one cell in the table of the bench."""
    if cell_id in bench.table.index:
        bench.table.at[cell_id, "correction"] = correction
        bench.table.at[cell_id, "label"] = correction or bench.table.at[cell_id, "prediction"]


def _move_choice(bench: Bench, event: Event) -> None:
    """Open the next or previous cell, or the first cell of the next or previous page."""
    if bench.chosen not in bench.order:
        return
    target = bench.order.index(bench.chosen) + (1 if event.step > 0 else -1)
    if event.kind == "page":
        page = bench.order.index(bench.chosen) // bench.page_size + (1 if event.step > 0 else -1)
        target = page * bench.page_size
    if 0 <= target < len(bench.order):
        bench.chosen = bench.order[target]


def _find_next_cell(bench: Bench, cell_id: int) -> int:
    """Return the next cell in the order of the bench; the last one and one that is not shown stay open."""
    if cell_id not in bench.order:
        return cell_id
    return bench.order[min(bench.order.index(cell_id) + 1, len(bench.order) - 1)]

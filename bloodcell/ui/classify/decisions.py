"""From what a gallery sends (cell chosen, label given, undo) to the database and the opened bench."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine as Database

from bloodcell.core.errors import BloodcellError
from bloodcell.reports.numbers import format_count
from bloodcell.review.corrections import add_correction, list_corrections, undo_last_correction
from bloodcell.ui.shared.state import Bench

KINDS = ("choose", "label", "confirm", "undo", "step", "page")
MAX_EVENTS = 500


@dataclass(frozen=True)
class Event:
    """One thing that a person did in the gallery; `cell` is the cell that was open at that moment."""

    number: int
    kind: str
    cell: int | None
    label: str = ""
    step: int = 0


def apply_events(bench: Bench, sent: list, db: Database, who: str) -> None:
    """Deal with the events that are new, in their order, and note how far it got.

    A database that refuses ends it: the bench goes back to the first cell whose decision was not kept, and
    says so; later decisions of the same list are dropped too, as they were made in the belief that the earlier
    ones held.
    """
    bench.problem = ""
    events = _read_new_events(bench, sent)
    for index, event in enumerate(events):
        try:
            _apply_event(bench, event, db, who)
        except BloodcellError as error:
            lost = sum(later.kind in ("label", "confirm", "undo") for later in events[index:])
            bench.problem = f"{error} ({format_count(lost, 'decision')} not kept.)"
            if event.cell in bench.table.index:
                bench.chosen = event.cell
            return


def _read_new_events(bench: Bench, sent: list) -> list[Event]:
    """Read the events of this bench that were not dealt with before; what makes no sense is skipped."""
    events = []
    for raw in sent[-MAX_EVENTS:]:
        if not isinstance(raw, dict) or raw.get("session") != bench.session or raw.get("kind") not in KINDS:
            continue
        number, client = _read_int(raw.get("number")), str(raw.get("client"))
        if client != bench.client:
            bench.client, bench.acknowledged = client, 0
        if number is None or number <= bench.acknowledged:
            continue
        bench.acknowledged = number
        events.append(
            Event(
                number,
                raw["kind"],
                _read_int(raw.get("cell")),
                str(raw.get("label", "")),
                _read_int(raw.get("step")) or 0,
            )
        )
    return events


def _read_int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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
        # Confirming says that the label on the screen is right: one that was corrected stays as it is.
        label = event.label if event.kind == "label" else str(bench.table.at[event.cell, "label"])
        if label != bench.table.at[event.cell, "correction"]:
            add_correction(db, event.cell, label, who)
            _patch_cell(bench, event.cell, label)
        bench.chosen = _find_next_cell(bench, event.cell)


def _undo_last(bench: Bench, db: Database, who: str) -> None:
    cell_id = undo_last_correction(db, bench.batch_id, who)
    if cell_id is None:
        bench.problem = "There is nothing of yours to undo in this batch."
        return
    standing = [one.label for one in list_corrections(db, cell_id) if not one.undone_when]
    _patch_cell(bench, cell_id, standing[-1] if standing else "")
    if cell_id in bench.order:
        bench.chosen = cell_id


def _patch_cell(bench: Bench, cell_id: int, correction: str) -> None:
    """Bring the bench's copy of one cell up to date with the database."""
    if cell_id in bench.table.index:
        bench.table.at[cell_id, "correction"] = correction
        bench.table.at[cell_id, "label"] = correction or bench.table.at[cell_id, "prediction"]


def _move_choice(bench: Bench, event: Event) -> None:
    """Go one cell on or back across a page's edge, or to the first cell of another page."""
    if bench.chosen not in bench.order:
        return
    target = bench.order.index(bench.chosen) + (1 if event.step > 0 else -1)
    if event.kind == "page":
        page = bench.order.index(bench.chosen) // bench.page_size + (1 if event.step > 0 else -1)
        target = page * bench.page_size
    if 0 <= target < len(bench.order):
        bench.chosen = bench.order[target]


def _find_next_cell(bench: Bench, cell_id: int) -> int:
    """Return the next cell in the present order; the last one, and one that is not shown, stay."""
    if cell_id not in bench.order:
        return cell_id
    return bench.order[min(bench.order.index(cell_id) + 1, len(bench.order) - 1)]

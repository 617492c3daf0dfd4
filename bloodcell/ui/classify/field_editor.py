"""The field editor component: a field with its boxes, to look at and to mend."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import streamlit as st

from bloodcell.core.labels import PLATELET, RBC, WBC
from bloodcell.review.box_edits import FieldBox
from bloodcell.ui.classify.gallery import list_choices
from bloodcell.ui.shared.layout import read_assets
from bloodcell.ui.shared.state import FieldBench

KINDS: Final = {WBC: "White cells", RBC: "Red cells", PLATELET: "Platelets"}
SINGULAR: Final = {WBC: "white cell", RBC: "red cell", PLATELET: "platelet"}
DRAW_KEYS: Final = {WBC: "W", RBC: "R", PLATELET: "P"}
# Colours that stain, glass and each other leave free (Okabe-Ito, its green darkened).
COLOURS: Final = {WBC: "#7a3b8f", RBC: "#00725a", PLATELET: "#0072b2"}
_HERE = Path(__file__).parent


_COMPONENT = st.components.v2.component(
    "bloodcell_field_editor",
    html=read_assets(_HERE, "field_editor.html"),
    css=read_assets(_HERE, "field_editor.css"),
    js=read_assets(_HERE, "outbox.js", "field_editor.js"),
)


@dataclass(frozen=True)
class ShownImage:
    """The image under the boxes.

    Attributes
    ----------
    id : int
    name : str
    uri : str
        As a data URI, of any size.
    width, height : int
        Of the original, in whose pixels the boxes are.
    """

    id: int
    name: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class ShownBox:
    """One box, with what is written at it.

    Attributes
    ----------
    field_box : FieldBox
    title : str
        Class of a white cell, "" for others.
    trust : str
        Status and confidence of a white cell, "" for others.
    """

    field_box: FieldBox
    title: str = ""
    trust: str = ""


def get_editor_key(batch_id: int) -> str:
    """Return the widget key of the editor of a batch."""
    return f"classify-field-{batch_id}"


def make_box_key(box: FieldBox) -> str:
    """Return the name of a box in the editor, the same as long as it is not changed."""
    return f"cell-{box.cell_id}" if box.cell_id is not None else f"{box.kind}-{'-'.join(map(str, box.box))}"


def show_field_editor(
    bench: FieldBench,
    image: ShownImage,
    boxes: Sequence[ShownBox],
    class_names: Sequence[str],
    on_events: Callable[[], None],
) -> None:
    """Show a field.

    Parameters
    ----------
    bench : FieldBench
    image : ShownImage
    boxes : sequence of ShownBox
    class_names : sequence of str
        The classes of the model.
    on_events : callable
        Called before the next run when a person did something; `state.read_events` then returns it.
    """
    _COMPONENT(
        key=get_editor_key(bench.batch_id),
        data={
            "image": asdict(image),
            "boxes": [
                {
                    "key": make_box_key(shown.field_box),
                    "kind": shown.field_box.kind,
                    "box": list(shown.field_box.box),
                    "cell": shown.field_box.cell_id,
                    "title": shown.title,
                    "trust": shown.trust,
                }
                for shown in boxes
            ],
            "choices": [asdict(choice) for choice in list_choices(class_names)],
            "kinds": KINDS,
            "singular": SINGULAR,
            "colours": COLOURS,
            "drawKeys": DRAW_KEYS,
            "batch": f"{bench.batch_id}-fields",
            "session": bench.session,
            "client": bench.client,
            "acknowledged": bench.acknowledged,
        },
        on_events_change=on_events,
    )

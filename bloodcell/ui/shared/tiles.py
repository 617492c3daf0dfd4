"""Small images to pick from by mouse or arrow keys: the picked one is marked at once, then the server is told."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from bloodcell.ui.shared.layout import read_assets

_HERE = Path(__file__).parent


_COMPONENT = st.components.v2.component(
    "bloodcell_tiles",
    html='<div class="tiles"></div>',
    css=read_assets(_HERE, "tiles.css"),
    js=read_assets(_HERE, "tiles.js"),
)


@dataclass(frozen=True)
class Tile:
    """One image to pick.

    Attributes
    ----------
    id : int
        What it is known by.
    uri : str
        The image as a data URI.
    title, subtitle : str
        Two lines of text below it.
    colour : str
        Of its upper edge, as in CSS.
    mark : str, default ""
        Short text on the image.
    """

    id: int
    uri: str
    title: str
    subtitle: str
    colour: str
    mark: str = ""


def show_tiles(key: str, tiles: Sequence[Tile], picked_id: int | None, on_pick: Callable[[], None]) -> None:
    """Show images to pick from.

    Parameters
    ----------
    key : str
        Of the widget; `get_picked_id` reads it.
    tiles : sequence of Tile
        At most some dozens.
    picked_id : int or None
        The tile that is open.
    on_pick : callable
        Called before the next run when another tile was picked.
    """
    _COMPONENT(key=key, data={"tiles": [asdict(tile) for tile in tiles], "picked": picked_id}, on_pick_change=on_pick)


def get_picked_id(key: str) -> int | None:
    """Return the id of the tile that was picked last; None before."""
    state = st.session_state.get(key)
    tile_id = None if state is None else state.get("pick")
    return tile_id if isinstance(tile_id, int) else None

"""Small pictures that can be picked by mouse or arrow keys: the picked one is marked at once, the server hears of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent


def _read_asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_COMPONENT = st.components.v2.component(
    "bloodcell_tiles", html='<div class="tiles"></div>', css=_read_asset("tiles.css"), js=_read_asset("tiles.js")
)


@dataclass(frozen=True)
class Tile:
    """One picture: `id` it is known by, `picture` as a data URI, two lines of text, the colour of its edge, a mark."""

    id: int
    picture: str
    line: str
    more: str
    colour: str
    mark: str = ""


def show_tiles(key: str, shown: Sequence[Tile], picked: int | None, on_pick: Callable[[], None]) -> None:
    """Show pictures to pick from.

    Parameters
    ----------
    key : of the widget; `get_picked_id` reads it
    shown : at most some dozens
    picked : id of the one that is open
    on_pick : called before the next run when another one was picked
    """
    _COMPONENT(key=key, data={"tiles": [asdict(one) for one in shown], "picked": picked}, on_pick_change=on_pick)


def get_picked_id(key: str) -> int | None:
    """Id of the picture that was picked last; None before."""
    state = st.session_state.get(key)
    tile_id = None if state is None else state.get("pick")
    return tile_id if isinstance(tile_id, int) else None

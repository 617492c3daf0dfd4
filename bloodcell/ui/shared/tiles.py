"""Small pictures that can be picked by mouse or arrow keys: the picked one is marked at once, the server hears of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent


def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_COMPONENT = st.components.v2.component(
    "bloodcell_tiles", html='<div class="tiles"></div>', css=_own("tiles.css"), js=_own("tiles.js")
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


def tiles(key: str, shown: Sequence[Tile], picked: int | None, on_pick: Callable[[], None]) -> None:
    """Show pictures to pick from.

    Parameters
    ----------
    key : of the widget; `picked_in` reads it
    shown : at most some dozens
    picked : id of the one that is open
    on_pick : called before the next run when another one was picked
    """
    _COMPONENT(key=key, data={"tiles": [asdict(one) for one in shown], "picked": picked}, on_pick_change=on_pick)


def picked_in(key: str) -> int | None:
    """Id of the picture that was picked last; None before."""
    state = st.session_state.get(key)
    found = None if state is None else state.get("pick")
    return found if isinstance(found, int) else None

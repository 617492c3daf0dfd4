"""A job that was asked for on the Train page: its button, what keeps it from being pressed, its settings as a file."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bloodcell.errors import BloodcellError
from bloodcell.jobs.store import Job, NewJob
from bloodcell.settings import load_settings
from bloodcell.ui import resources, state
from bloodcell.ui.errors import show_errors
from bloodcell.ui.text import plain

# Key of the way to train on the page, and the way that other parts of it lead to.
HOW = "train-how"
MASKS_WAY = "U-Net for masks"


class AnySpec(Protocol):
    """What all specs of jobs have."""

    def to_json(self) -> str:
        """The spec as a file."""


@dataclass(frozen=True)
class Asked:
    """What is to be done.

    place : where its button goes
    make : gives the job; raises SpecError or DatasetError where the settings make no sense
    verb : on the button
    """

    place: DeltaGenerator
    make: Callable[[], NewJob]
    verb: str = "Train"


def new_job(kind: str, title: str, name: str, spec: AnySpec, data_dir: Path) -> NewJob:
    """A job of the person at the page."""
    return NewJob(kind, title or name, name, json.loads(spec.to_json()), str(data_dir), state.who())


def begin(asked: Asked) -> Job | None:
    """Show the button with what keeps it from being pressed, and the settings as a file; the job once it was pressed."""
    problem, made = "", None
    try:
        made = asked.make()
    except BloodcellError as error:
        problem = str(error)
    with asked.place:
        wanted = st.button(
            asked.verb, type="primary", icon=":material/model_training:", key="train-go", disabled=made is None
        )
        if problem:
            st.error(plain(problem), icon=":material/error:")
        if wanted and made is not None:
            with show_errors():
                return resources.jobs().submit(made)
    if made is not None:
        _show(made)
    return None


def slug(name: str) -> str:
    """A name as part of a file's name: small letters, digits and hyphens, 40 at most."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "model"


def _show(new: NewJob) -> None:
    """Show the settings as the file that runs the same by command, with its download."""
    with st.expander(
        "All settings as a file", icon=":material/data_object:", key="train-spec", on_change="rerun"
    ) as opened:
        if not opened.open:
            return
        text, kind = json.dumps(new.spec, indent=2), "" if new.kind == "train" else f" --kind {new.kind}"
        home = plain(str(load_settings().home))
        st.caption(f"The same by command: `python -m bloodcell jobs submit {new.name}.json --data {home}{kind}`")
        st.download_button(
            "Download",
            text,
            f"{slug(new.name)}.json",
            "application/json",
            icon=":material/download:",
            key="train-spec-download",
            on_click="ignore",
        )
        st.code(text, language="json", height=320)

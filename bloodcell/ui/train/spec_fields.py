"""Widgets for the settings of a training spec, starting with the defaults of the chosen network."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.networks.registry import Network
from bloodcell.training.specs.train_spec import TrainSpec

_WITH_WIDTHS = ("small", "published", "resnet18")  # modules of networks.builders


@dataclass(frozen=True)
class Fields:
    """The widgets of one network, with its defaults.

    Every `ask_*` method takes the name of a setting of `TrainSpec`, which gives the key and the default of the widget,
    then its label; keyword arguments are passed on to Streamlit's widget.

    Attributes
    ----------
    network : Network
    """

    network: Network

    @property
    def base(self) -> TrainSpec:
        """The network's default settings, whatever it is trained on."""
        return TrainSpec.for_network(self.network.name, "any", (SourceSpec("any", "any"),))

    @property
    def has_stage_widths(self) -> bool:
        """Whether the network can be built with other filters than its own."""
        return self.network.builder.split(":")[0].rsplit(".", 1)[1] in _WITH_WIDTHS

    def key(self, name: str) -> str:
        """Return the key of the widget for a setting."""
        return f"train-{self.network.name}-{name}"

    def ask_choice(self, name: str, label: str, options: tuple[str, ...], words: dict[str, str], **more: Any) -> str:
        """Ask for one of some options; `words` says how they are shown, others are shown as they are."""
        index = options.index(getattr(self.base, name))
        choice: str = st.selectbox(
            label, options, index, format_func=lambda option: words.get(option, option), key=self.key(name), **more
        )
        return choice

    def ask_int(self, name: str, label: str, minimum: int, maximum: int, **more: Any) -> int:
        """Ask for a whole number."""
        return int(st.number_input(label, minimum, maximum, getattr(self.base, name), key=self.key(name), **more))

    def ask_float(self, name: str, label: str, minimum: float, maximum: float, **more: Any) -> float:
        """Ask for a number."""
        value = float(getattr(self.base, name))
        settings: dict[str, Any] = {"format": "%g", "step": 0.01} | more
        return float(st.number_input(label, minimum, maximum, value, key=self.key(name), **settings))

    def ask_bool(self, name: str, label: str, **more: Any) -> bool:
        """Ask for yes or no."""
        return st.toggle(label, getattr(self.base, name), key=self.key(name), **more)


def parse_ints(text: str) -> tuple[Any, ...]:
    """Read the whole numbers of a text; what is not a number stays as text, for the spec to refuse.

    Examples
    --------
    >>> parse_ints("32, 64")
    (32, 64)
    >>> parse_ints("8 twelve")
    (8, 'twelve')
    """
    parts = text.replace(",", " ").split()
    return tuple(int(part) if part.isdecimal() else part for part in parts)

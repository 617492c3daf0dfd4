"""The networks that can be trained, in one written-out table; importing it loads no Keras."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bloodcell.errors import SpecError


@dataclass(frozen=True)
class Network:
    """One network family: `builder` is "module:function", imported on first use."""

    name: str
    builder: str
    note: str


NETWORKS = (
    Network("small", "bloodcell.zoo.small:build_small", "our residual net for crops of one cell, from scratch"),
)


def builder_of(name: str) -> Callable[..., Any]:
    """The function that builds a network; SpecError names those there are."""
    for network in NETWORKS:
        if network.name == name:
            module, function = network.builder.split(":")
            return getattr(importlib.import_module(module), function)
    raise SpecError(f"`model` must be one of {[network.name for network in NETWORKS]}. Received: {name!r}.")

"""The kinds of jobs in one written-out table; what does the work is imported on first use."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bloodcell.core.errors import JobError


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    check : "module:function" of `(spec) -> None`, raises SpecError; must be quick and load no Keras
    run : "module:function" of `(Task) -> str`, does the work in the worker and returns the name of the
        result's folder in the workspace's runs/, evaluations/ or explanations/
    is_short : takes seconds or a few minutes, and somebody waits for it: one of these runs beside the others, see
        `store.claim_next`
    """

    name: str
    check: str
    run: str
    is_short: bool = False


_EXPERIMENTS = "bloodcell.jobs.kinds.experiments"
KINDS = (
    Kind("train", "bloodcell.jobs.kinds.train:check", "bloodcell.jobs.kinds.train:run"),
    Kind("trials", f"{_EXPERIMENTS}:check_trials", f"{_EXPERIMENTS}:trials"),
    Kind("kfold", f"{_EXPERIMENTS}:check_kfold", f"{_EXPERIMENTS}:kfold"),
    Kind("search", f"{_EXPERIMENTS}:check_search", f"{_EXPERIMENTS}:search"),
    Kind("adapt", f"{_EXPERIMENTS}:check_adapt", f"{_EXPERIMENTS}:adapt"),
    Kind("evaluate", "bloodcell.jobs.kinds.evaluate:check", "bloodcell.jobs.kinds.evaluate:run", is_short=True),
    Kind("masks", "bloodcell.jobs.kinds.masks:check", "bloodcell.jobs.kinds.masks:run"),
    Kind("load", "bloodcell.jobs.kinds.load:check", "bloodcell.jobs.kinds.load:run", is_short=True),
    Kind("explain", "bloodcell.jobs.kinds.explain:check", "bloodcell.jobs.kinds.explain:run", is_short=True),
)


def kind_of(name: str, kinds: tuple[Kind, ...]) -> Kind:
    """The kind of that name; JobError names those there are."""
    for kind in kinds:
        if kind.name == name:
            return kind
    raise JobError(f"`kind` must be one of {[kind.name for kind in kinds]}. Received: {name!r}.")


def load(place: str) -> Callable[..., Any]:
    """Import the function of a "module:function"."""
    module, function = place.split(":")
    return getattr(importlib.import_module(module), function)

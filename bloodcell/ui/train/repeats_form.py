"""Ask how often to train, and what differs between the runs: one model, trials, k-fold, search."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from bloodcell.core.errors import SpecError
from bloodcell.core.spec import Spec
from bloodcell.imaging.scale import SCALINGS
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.kinds.trials import TRIALS
from bloodcell.jobs.store import NewJob
from bloodcell.networks.registry import BY_SVM
from bloodcell.training.specs.choices import OPTIMIZERS, SCHEDULES
from bloodcell.training.specs.search_spec import KERNEL_FAMILIES, Choices, Range, SearchSpec
from bloodcell.training.specs.search_spec import MAX_TRIALS as MAX_SEARCH_TRIALS
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.training.specs.trials_spec import MAX_TRIALS, TrialsSpec
from bloodcell.ui.train.settings_form import SCALING_WORDS, SCHEDULE_WORDS
from bloodcell.ui.train.spec_fields import Fields, parse_ints


@dataclass(frozen=True)
class Offer:
    """How a kind of job is offered.

    Attributes
    ----------
    kind : JobKind
    title : str
        In the list of choices.
    verb : str
        Label of the button.
    help : str
        What it gives; "" where nothing needs to be said.
    """

    kind: JobKind[Any]
    title: str
    verb: str
    help: str


OFFERS = {
    TRAIN.name: Offer(TRAIN, "One model", "Train", ""),
    TRIALS.name: Offer(
        TRIALS,
        "Trials: the same settings with several seeds",
        "Run trials",
        "Shows how much the metrics vary by chance alone, and how many trials converge. No model is saved.",
    ),
    KFOLD.name: Offer(
        KFOLD,
        "k-fold: every fold held out once",
        "Train all folds",
        "Each cell is predicted by a run that was not trained on it, so the metrics are of all cells. The choice under "
        "Held out does not matter. No model is saved.",
    ),
    SEARCH.name: Offer(
        SEARCH,
        "Search for better settings",
        "Search",
        "Tries settings within the ranges below. The best are saved as a file, and one click trains a model with them.",
    ),
}
# Kind -> minimum, maximum and default number of trials.
_TRIAL_LIMITS = {TRIALS.name: (2, MAX_TRIALS, TrialsSpec.n), SEARCH.name: (1, MAX_SEARCH_TRIALS, SearchSpec.trials)}

_TWENTIETHS = tuple(round(0.05 * number, 2) for number in range(19))  # 0 to 0.9
_DECADES = tuple(float(f"{digit}e{power}") for power in range(-6, -1) for digit in (1, 2, 5))  # 1e-6 to 0.05
# Setting -> its label, the stops of its slider, whether they are even in their logarithm, the default range.
_RANGES: dict[str, tuple[str, tuple[float, ...], bool, tuple[float, float]]] = {
    "dropout": ("Dropout", _TWENTIETHS, False, (0.0, 0.6)),
    "learning_rate": ("Learning rate", _DECADES, True, (2e-4, 1e-2)),
    "weight_decay": ("Weight decay", _DECADES, True, (1e-5, 1e-2)),
    "label_smoothing": ("Label smoothing", _TWENTIETHS[:10], False, (0.0, 0.2)),
    "momentum": ("Momentum", (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98), False, (0.5, 0.98)),
}
# Setting -> its label, what can be chosen, the defaults besides the network's own value.
_CHOICES: dict[str, tuple[str, tuple[Any, ...], tuple[Any, ...]]] = {
    "scaling": ("Intensity scaling", tuple(SCALINGS), ("-1..1", "channel", "global")),
    "batch_size": ("Batch size", (8, 16, 32, 64, 128, 256), (32, 64, 128)),
    "kernel_px": ("Kernel size (px)", (1, 2, 3, 4, 5, 6, 7), (2, 3, 5)),
    "optimizer": ("Optimizer", OPTIMIZERS, ("adam", "sgd")),
    "schedule": ("Learning rate schedule", SCHEDULES, ("cosine", "constant")),
}
_WIDTHS = "stage_widths"
_WIDTHS_LABEL = "Filters per stage"
SETTING_WORDS = {name: label for name, (label, *_) in (_RANGES | _CHOICES).items()} | {_WIDTHS: _WIDTHS_LABEL}
VALUE_WORDS = SCALING_WORDS | SCHEDULE_WORDS
_USUALLY_SEARCHED = ("dropout", "learning_rate", "batch_size", "scaling", "kernel_px")


@dataclass(frozen=True)
class Runs:
    """What was chosen.

    Attributes
    ----------
    kind : JobKind
    n : int
        Number of trials, for trials and search.
    bounds : dict of str to tuple
        Of a search: setting -> (low, high) of a range, or the values to choose from.
    prune_after : int
        Epochs that every trial of a search gets.
    """

    kind: JobKind[Any] = TRAIN
    n: int = 0
    bounds: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    prune_after: int = 0

    @property
    def verb(self) -> str:
        """Label of the button."""
        return OFFERS[self.kind.name].verb

    def make_job(self, train: TrainSpec, data_dir: Path, who: str) -> NewJob:
        """Make the job that trains this way; SpecError where its settings make no sense."""
        return self.kind.make_job(self._make_spec(train), data_dir, who)

    def _make_spec(self, train: TrainSpec) -> Spec:
        if self.kind is TRIALS:
            return TrialsSpec(train, self.n)
        if self.kind is not SEARCH:
            return train
        space = tuple((name, _make_bounds(name, values)) for name, values in self.bounds.items())
        return SearchSpec(train.name, train, space, self.n, train.seed, prune_after=self.prune_after)


def ask_runs(kinds: Sequence[JobKind[Any]] = (TRAIN, TRIALS, KFOLD, SEARCH)) -> Runs:
    """Ask how often to train; `ask_bounds` then asks for the ranges of a search."""
    names = [kind.name for kind in kinds]
    chosen = OFFERS[st.selectbox("Repeats", names, format_func=lambda name: OFFERS[name].title, key="train-runs")]
    name = chosen.kind.name
    n = 0
    if name in _TRIAL_LIMITS:
        n = int(st.number_input("Number of trials", *_TRIAL_LIMITS[name], key=f"train-{name}-n"))
    if chosen.help:
        st.caption(chosen.help)
    return Runs(chosen.kind, n)


def ask_bounds(fields: Fields, n: int) -> Runs:
    """Ask which settings a search tries, and within which ranges.

    Parameters
    ----------
    fields : Fields
        Those of the chosen network, which tells what can be searched.
    n : int
        Number of trials.
    """
    with st.container(border=True, key="train-search"):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        searchable = _list_searchable(fields)
        with left:
            names = st.multiselect(
                "Settings to search",
                searchable,
                [name for name in _USUALLY_SEARCHED if name in searchable],
                format_func=SETTING_WORDS.__getitem__,
                key=fields.key("searched"),
                help="All other settings stay as chosen below.",
            )
        with right:
            prune_after = int(
                st.number_input(
                    "Prune poor trials after (epochs)",
                    0,
                    2000,
                    SearchSpec.prune_after,
                    key="train-search-prune",
                    help="From this epoch on, a trial that is worse than the median of earlier trials at the same epoch is "
                    f"stopped. The first {SearchSpec.startup_trials} trials are chosen at random and run to the end.",
                )
            )
        columns = st.columns(2, gap="medium")
        bounds = {}
        for number, name in enumerate(names):
            with columns[number % len(columns)]:
                bounds[name] = _ask_setting_bounds(name, fields)
    return Runs(SEARCH, n, bounds, prune_after)


def _list_searchable(fields: Fields) -> list[str]:
    """List the settings of the network that can be searched."""
    if fields.network.trained_by == BY_SVM:
        return ["scaling"]  # it is trained in one step
    lacking = {_WIDTHS: not fields.has_stage_widths, "kernel_px": fields.network.name not in KERNEL_FAMILIES}
    return [name for name in SETTING_WORDS if not lacking.get(name)]


def _ask_setting_bounds(name: str, fields: Fields) -> tuple[Any, ...]:
    key = fields.key(f"search-{name}")
    if name in _RANGES:
        label, stops, _, default = _RANGES[name]
        return tuple(st.select_slider(label, stops, default, format_func=lambda stop: f"{stop:g}", key=key))
    if name in _CHOICES:
        label, options, default = _CHOICES[name]
        own = getattr(fields.base, name)
        chosen = [value for value in options if value in default or value == own]
        return tuple(
            st.multiselect(
                label, options, chosen, format_func=lambda value: VALUE_WORDS.get(value, str(value)), key=key
            )
        )
    text = st.text_input(_WIDTHS_LABEL, "12, 24, 48; 24, 48, 96", key=key, help="Separate the choices with semicolons.")
    return tuple(parse_ints(part) for part in text.split(";"))


def _make_bounds(name: str, values: tuple[Any, ...]) -> Range | Choices:
    """Bounds as a search takes them; an error names the setting first."""
    try:
        if name in _RANGES:
            low, high = values
            return Range(low, high, log=_RANGES[name][2])
        return Choices(values)
    except SpecError as error:
        raise SpecError(f"{SETTING_WORDS[name]}: {error}") from error

"""How often a training is done, and what differs between the runs: one model, trials, k-fold, search."""

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

    kind : the JobKind; words : in the list of choices; verb : on the button; meaning : what comes of it
    """

    kind: JobKind[Any]
    words: str
    verb: str
    meaning: str


OFFERS = {
    TRAIN.name: Offer(TRAIN, "One model", "Train", ""),
    TRIALS.name: Offer(
        TRIALS,
        "Trials: the same settings with several seeds",
        "Run the trials",
        "Tells how far the figures differ by chance alone, and how many trials converge. No model is kept.",
    ),
    KFOLD.name: Offer(
        KFOLD,
        "k-fold: every part held out once",
        "Train every part",
        "Each cell is answered by a run that did not learn from it, so the figures are of all cells; what is chosen "
        "under Held out does not count. No model is kept.",
    ),
    SEARCH.name: Offer(
        SEARCH,
        "Search for better settings",
        "Search",
        "Tries settings within the bounds below. The best come out as a file and can be trained with at one click.",
    ),
}
# Kind -> fewest, most and usual number of trials.
_TRIAL_LIMITS = {TRIALS.name: (2, MAX_TRIALS, TrialsSpec.n), SEARCH.name: (1, MAX_SEARCH_TRIALS, SearchSpec.trials)}

_TWENTIETHS = tuple(round(0.05 * number, 2) for number in range(19))  # 0 to 0.9
_DECADES = tuple(float(f"{digit}e{power}") for power in range(-6, -1) for digit in (1, 2, 5))  # 1e-6 to 0.05
# Setting -> its words, the stops of its slider, whether they are even in their logarithm, where it begins.
_RANGES: dict[str, tuple[str, tuple[float, ...], bool, tuple[float, float]]] = {
    "dropout": ("Dropout", _TWENTIETHS, False, (0.0, 0.6)),
    "learning_rate": ("Learning rate", _DECADES, True, (2e-4, 1e-2)),
    "weight_decay": ("Weight decay", _DECADES, True, (1e-5, 1e-2)),
    "label_smoothing": ("Label smoothing", _TWENTIETHS[:10], False, (0.0, 0.2)),
    "momentum": ("Momentum", (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98), False, (0.5, 0.98)),
}
# Setting -> its words, what can be chosen, where it begins besides the family's own.
_CHOICES: dict[str, tuple[str, tuple[Any, ...], tuple[Any, ...]]] = {
    "scaling": ("Gray levels are scaled", tuple(SCALINGS), ("-1..1", "channel", "global")),
    "batch_size": ("Pictures a batch", (8, 16, 32, 64, 128, 256), (32, 64, 128)),
    "kernel_px": ("Side of the kernels (px)", (1, 2, 3, 4, 5, 6, 7), (2, 3, 5)),
    "optimizer": ("Optimizer", OPTIMIZERS, ("adam", "sgd")),
    "schedule": ("The rate", SCHEDULES, ("cosine", "constant")),
}
_WIDTHS = "stage_widths"
_WIDTHS_WORDS = "Filters of the stages"
SETTING_WORDS = {name: words for name, (words, *_) in (_RANGES | _CHOICES).items()} | {_WIDTHS: _WIDTHS_WORDS}
VALUE_WORDS = SCALING_WORDS | SCHEDULE_WORDS
_USUALLY_SEARCHED = ("dropout", "learning_rate", "batch_size", "scaling", "kernel_px")


@dataclass(frozen=True)
class Runs:
    """What was chosen.

    n : number of trials, for trials and search
    bounds : of a search, setting -> (low, high) of a range, or what is chosen among
    prune_after : epochs that every trial of a search gets
    """

    kind: JobKind[Any] = TRAIN
    n: int = 0
    bounds: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    prune_after: int = 0

    @property
    def verb(self) -> str:
        """What the button says."""
        return OFFERS[self.kind.name].verb

    def make_job(self, train: TrainSpec, data_dir: Path, who: str) -> NewJob:
        """The job that trains so; SpecError where its settings make no sense."""
        return self.kind.make_job(self._make_spec(train), data_dir, who)

    def _make_spec(self, train: TrainSpec) -> Spec:
        if self.kind is TRIALS:
            return TrialsSpec(train, self.n)
        if self.kind is not SEARCH:
            return train
        space = tuple((name, _make_bounds(name, values)) for name, values in self.bounds.items())
        return SearchSpec(train.name, train, space, self.n, train.seed, prune_after=self.prune_after)


def ask_runs(kinds: Sequence[JobKind[Any]] = (TRAIN, TRIALS, KFOLD, SEARCH)) -> Runs:
    """Ask how often it is trained; the bounds of a search are asked for by `ask_bounds`."""
    names = [kind.name for kind in kinds]
    chosen = OFFERS[st.selectbox("How many runs", names, format_func=lambda name: OFFERS[name].words, key="train-runs")]
    name = chosen.kind.name
    n = 0
    if name in _TRIAL_LIMITS:
        n = int(st.number_input("Number of trials", *_TRIAL_LIMITS[name], key=f"train-{name}-n"))
    if chosen.meaning:
        st.caption(chosen.meaning)
    return Runs(chosen.kind, n)


def ask_bounds(fields: Fields, n: int) -> Runs:
    """Ask which settings a search of `n` trials tries, and within what bounds."""
    with st.container(border=True, key="train-search"):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        offered = _list_searchable(fields)
        with left:
            names = st.multiselect(
                "What is searched",
                offered,
                [name for name in _USUALLY_SEARCHED if name in offered],
                format_func=SETTING_WORDS.__getitem__,
                key=fields.key("searched"),
                help="All other settings stay as they are chosen below.",
            )
        with right:
            prune_after = int(
                st.number_input(
                    "Poor ones end after (epochs)",
                    0,
                    2000,
                    SearchSpec.prune_after,
                    key="train-search-prune",
                    help="After so many epochs, a trial that is worse than the median of the trials before it, at the same "
                    f"epoch, is given up. The first {SearchSpec.startup_trials} trials are drawn at random and run to the end.",
                )
            )
        columns = st.columns(2, gap="medium")
        bounds = {}
        for number, name in enumerate(names):
            with columns[number % len(columns)]:
                bounds[name] = _ask_setting_bounds(name, fields)
    return Runs(SEARCH, n, bounds, prune_after)


def _list_searchable(fields: Fields) -> list[str]:
    """What of the family's settings can be searched."""
    if fields.family.trained_by == BY_SVM:
        return ["scaling"]  # it learns in one go
    lacking = {_WIDTHS: not fields.has_stage_widths, "kernel_px": fields.family.name not in KERNEL_FAMILIES}
    return [name for name in SETTING_WORDS if not lacking.get(name)]


def _ask_setting_bounds(name: str, fields: Fields) -> tuple[Any, ...]:
    key = fields.key(f"search-{name}")
    if name in _RANGES:
        words, stops, _, begin = _RANGES[name]
        return tuple(st.select_slider(words, stops, begin, format_func=lambda one: f"{one:g}", key=key))
    if name in _CHOICES:
        words, options, begin = _CHOICES[name]
        own = getattr(fields.base, name)
        chosen = [one for one in options if one in begin or one == own]
        return tuple(
            st.multiselect(words, options, chosen, format_func=lambda one: VALUE_WORDS.get(one, str(one)), key=key)
        )
    text = st.text_input(
        _WIDTHS_WORDS, "12, 24, 48; 24, 48, 96", key=key, help="One choice after another, with ; between."
    )
    return tuple(parse_ints(part) for part in text.split(";"))


def _make_bounds(name: str, values: tuple[Any, ...]) -> Range | Choices:
    """Bounds as a search takes them; the words of the setting stand before what is wrong with them."""
    try:
        if name in _RANGES:
            low, high = values
            return Range(low, high, log=_RANGES[name][2])
        return Choices(values)
    except SpecError as error:
        raise SpecError(f"{SETTING_WORDS[name]}: {error}") from error

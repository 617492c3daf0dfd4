"""The kinds of jobs in one written-out table. A new kind is a file beside this one and a line here."""

from typing import Any

from bloodcell.core.errors import JobError
from bloodcell.core.spec import Spec, parse_json_object
from bloodcell.jobs.kinds.adapt import ADAPT
from bloodcell.jobs.kinds.evaluate import EVALUATE
from bloodcell.jobs.kinds.explain import EXPLAIN
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.kinds.load import LOAD
from bloodcell.jobs.kinds.masks import MASKS
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.kinds.trials import TRIALS

KINDS: tuple[JobKind[Any], ...] = (TRAIN, TRIALS, KFOLD, SEARCH, ADAPT, EVALUATE, MASKS, LOAD, EXPLAIN)
# Whose settings a person may write down in a file; the others are asked for by pages.
FILE_KINDS = tuple(kind for kind in KINDS if kind.marker or kind is KFOLD)


def find_kind(name: str, kinds: tuple[JobKind[Any], ...] = KINDS) -> JobKind[Any]:
    """The kind of that name; JobError names those there are."""
    for kind in kinds:
        if kind.name == name:
            return kind
    raise JobError(f"`kind` must be one of {[kind.name for kind in kinds]}. Received: {name!r}.")


def read_job_file(text: str) -> tuple[JobKind[Any], Spec]:
    """Read settings of a job, told apart by what they hold; those of k-fold are those of a training.

    Raises
    ------
    SpecError
        If they are of no kind, or break its rules.
    """
    values = parse_json_object(text)
    for kind in KINDS:
        if kind.marker and kind.marker in values and kind is not TRAIN:
            return kind, kind.spec_type.from_dict(values)
    return TRAIN, TRAIN.spec_type.from_dict(values)

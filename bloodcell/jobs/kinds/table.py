"""The kinds of jobs in one written-out table. A new kind is a file beside this one and a line here."""

from typing import Any

from bloodcell.core.errors import JobError
from bloodcell.core.spec import Spec, parse_json_object
from bloodcell.jobs.kinds.adapt import ADAPT
from bloodcell.jobs.kinds.detector import DETECTOR
from bloodcell.jobs.kinds.evaluate import EVALUATE
from bloodcell.jobs.kinds.explain import EXPLAIN
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.kinds.load import LOAD
from bloodcell.jobs.kinds.masks import MASKS
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.kinds.trials import TRIALS

KINDS: tuple[JobKind[Any], ...] = (TRAIN, TRIALS, KFOLD, SEARCH, ADAPT, EVALUATE, MASKS, DETECTOR, LOAD, EXPLAIN)
# The kinds whose settings a person may write into a file; pages ask for the others.
FILE_KINDS = tuple(kind for kind in KINDS if kind.marker or kind is KFOLD)


def find_kind(name: str, kinds: tuple[JobKind[Any], ...] = KINDS) -> JobKind[Any]:
    """Return the kind of that name.

    Raises
    ------
    JobError
        If there is none.

    Examples
    --------
    >>> find_kind("train").gives
    'model'
    """
    for kind in kinds:
        if kind.name == name:
            return kind
    raise JobError(f"`kind` must be one of {[kind.name for kind in kinds]}. Received: {name!r}.")


def read_job_file(text: str) -> tuple[JobKind[Any], Spec]:
    """Read the spec of a job from JSON and find its kind by the settings that it holds.

    Parameters
    ----------
    text : str
        One JSON object. The settings of k-fold are those of a training, and are read as such.

    Returns
    -------
    kind : JobKind
    spec : Spec
        Of the kind's `spec_type`.

    Raises
    ------
    SpecError
        If they are of no kind, or break its rules.

    Examples
    --------
    >>> kind, spec = read_job_file('{"name": "mine", "model": "wbc4", "data": {"name": "cells", "path": "cells"}}')
    >>> kind.name, spec.data.path
    ('evaluate', 'cells')
    """
    values = parse_json_object(text)
    for kind in KINDS:
        if kind.marker and kind.marker in values and kind is not TRAIN:
            return kind, kind.spec_type.from_dict(values)
    return TRAIN, TRAIN.spec_type.from_dict(values)

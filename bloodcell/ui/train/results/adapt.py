"""What an adaptation came to: the model before and after it on the cells held back, kept or refused."""

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.adapt_report import Comparison, Share, read_comparison
from bloodcell.jobs import store
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.store import Job
from bloodcell.plots.before_after import recall_before_after
from bloodcell.plots.theme import label_words
from bloodcell.training.specs.adapt_spec import NOT_KEPT
from bloodcell.ui.shared.image_rows import NO_BAR
from bloodcell.ui.shared.text import counted, plain
from bloodcell.ui.train.results.wording import percent


def is_refused(job: Job) -> bool:
    """Whether a job ended with a comparison by which the adapted model was not kept."""
    return job.kind == "adapt" and job.status == store.FAILED and job.error.startswith(NOT_KEPT)


def show(job: Job) -> None:
    """Show the comparison that a finished or refused adaptation left; RunError where it is damaged."""
    found = read_comparison(job_dir(load_settings(), job.id))
    before, after = found.balanced
    metrics = (
        ("Balanced accuracy before", percent(before.value), _interval(before)),
        ("Balanced accuracy after", percent(after.value), _interval(after)),
        ("Difference", _points(found.difference.value), f"95 % interval {_points_interval(found.difference)}"),
        ("Cells held back", f"{found.held_back:,}", _held_words(found)),
    )
    for column, (name, value, below) in zip(st.columns(len(metrics)), metrics, strict=True):
        with column:
            st.metric(name, value)
            st.caption(below)
    st.markdown(verdict(found))
    table = recall_table(found)
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(
        recall_before_after(table),
        config=NO_BAR,
        key=f"train-adapt-recall-{job.id}",
        alt="Recall of each class before and after",
    )
    with right:
        st.dataframe(_figures(found), hide_index=True, key=f"train-adapt-figures-{job.id}", height="content")
        st.caption(plain(_measured_on(found)))


def verdict(found: Comparison) -> str:
    """What the comparison means, in plain words."""
    changed = "They name the same cells rightly."
    if found.mended or found.spoiled:
        changed = (
            f"{counted(found.mended, 'held-back cell')} {'is' if found.mended == 1 else 'are'} named rightly only "
            f"after, {found.spoiled:,} only before."
        )
    if found.difference.value == 0:
        return f"Both models do equally well on the cells held back. {changed}"
    way = "better" if found.difference.value > 0 else "worse"
    if found.may_be_chance:
        return (
            f"The adapted model is {way} on the cells held back, but **the difference may be chance**: its interval "
            f"holds 0. More decided cells would tell. {changed}"
        )
    return (
        f"The adapted model is {way} on the cells held back, and **by more than chance explains**: the interval of the "
        f"difference does not hold 0. {changed}"
    )


def recall_table(found: Comparison) -> pd.DataFrame:
    """The recalls as `plots.before_after.recall_before_after` takes them."""
    nothing = Share(float("nan"), float("nan"), float("nan"))
    rows = []
    for one in found.recalls:
        before, after = one.before or nothing, one.after or nothing
        rows.append((one.class_name, one.pictures, *before, *after))
    sides = [f"{when}{end}" for when in ("before", "after") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["class_name", "n_cells", *sides])


def _figures(found: Comparison) -> pd.DataFrame:
    rows = [
        ("Balanced accuracy", *map(_with_interval, found.balanced)),
        ("Accuracy", *map(_with_interval, found.accuracy)),
        ("Marked Check or Unfamiliar", *map(percent, found.not_confident)),
        *((f"Recall, {label_words(one.class_name)}", *_recalls(one.before, one.after)) for one in found.recalls),
    ]
    return pd.DataFrame(rows, columns=["On the cells held back", "Before", "After"])


def _recalls(before: Share | None, after: Share | None) -> tuple[str, str]:
    return "-" if before is None else _with_interval(before), "-" if after is None else _with_interval(after)


def _measured_on(found: Comparison) -> str:
    lacking = [label_words(one.class_name) for one in found.recalls if one.before is None]
    words = [
        f"Learned from {counted(found.learned_from, 'cell')}"
        + (f" and {counted(found.old, 'old picture')}" if found.old else "")
        + f", measured on {counted(found.held_back, 'other')} ({counted(found.source_cells, 'source cell')}) that were"
        " held back.",
        f"Thresholds of Confident, Check and Unfamiliar: {found.thresholds}.",
    ]
    shares = [*found.balanced, *(one.after for one in found.recalls), *(one.before for one in found.recalls)]
    if any(share is not None and share.low == share.high for share in shares):
        words.append("An interval of one point, as where every cell is right, does not tell how sure a figure is.")
    if lacking:
        words.append(f"No cell was held back of: {', '.join(lacking)}. How well it is recognised is not known.")
    return " ".join(words)


def _held_words(found: Comparison) -> str:
    return f"{counted(found.source_cells, 'source cell')}; {found.learned_from:,} learned from"


def _interval(share: Share) -> str:
    return f"95 % interval {100 * share.low:.1f} to {100 * share.high:.1f} %"


def _with_interval(share: Share) -> str:
    return percent(share.value, (share.low, share.high))


def _points(difference: float) -> str:
    return f"{_signed(difference)} points"


def _points_interval(share: Share) -> str:
    return f"{_signed(share.low)} to {_signed(share.high)}"


def _signed(difference: float) -> str:
    return f"{100 * difference:+.1f}" if difference else "0.0"

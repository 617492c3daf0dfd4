"""The result of an adaptation: the model before and after on the held-out cells, saved or refused."""

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.adapt_report import Comparison, Share, read_comparison
from bloodcell.jobs import store
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.store import Job
from bloodcell.plots.experiments import plot_recall_before_after
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.training.specs.adapt_spec import REFUSAL_PREFIX
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.shared.messages import escape_md
from bloodcell.ui.train.results.wording import format_share


def is_refused(job: Job) -> bool:
    """Return whether a job ended with a comparison by which the adapted model was not saved."""
    return job.kind == "adapt" and job.status == store.FAILED and job.error.startswith(REFUSAL_PREFIX)


def show(job: Job) -> None:
    """Show the comparison that a finished or refused adaptation left; RunError where it is damaged."""
    comparison = read_comparison(job_dir(load_settings(), job.id))
    before, after = comparison.balanced
    metrics = (
        ("Balanced accuracy before", format_share(before.value), _format_interval(before)),
        ("Balanced accuracy after", format_share(after.value), _format_interval(after)),
        (
            "Difference",
            _format_points(comparison.difference.value),
            f"95 % interval {_format_points_interval(comparison.difference)}",
        ),
        ("Held-out cells", f"{comparison.held_out:,}", _describe_held_out(comparison)),
    )
    for column, (name, value, note) in zip(st.columns(len(metrics)), metrics, strict=True):
        with column:
            st.metric(name, value)
            st.caption(note)
    st.markdown(describe_verdict(comparison))
    table = make_recall_table(comparison)
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(
        plot_recall_before_after(table),
        config=NO_MODEBAR,
        key=f"train-adapt-recall-{job.id}",
        alt="Recall of each class before and after",
    )
    with right:
        st.dataframe(
            _make_metrics_table(comparison), hide_index=True, key=f"train-adapt-figures-{job.id}", height="content"
        )
        st.caption(escape_md(_describe_cells(comparison)))


def describe_verdict(comparison: Comparison) -> str:
    """Say in plain words what the comparison means."""
    changed = "Both are correct on the same cells."
    if comparison.mended or comparison.spoiled:
        changed = (
            f"{format_count(comparison.mended, 'held-out cell is', 'held-out cells are')} correct only after, "
            f"{comparison.spoiled:,} only before."
        )
    if comparison.difference.value == 0:
        return f"Both models have the same balanced accuracy on the held-out cells. {changed}"
    direction = "better" if comparison.difference.value > 0 else "worse"
    if comparison.may_be_chance:
        return (
            f"The adapted model is {direction} on the held-out cells, but **the difference may be chance**: its interval "
            f"includes 0. More reviewed cells would give a clearer answer. {changed}"
        )
    return (
        f"The adapted model is {direction} on the held-out cells, and **the difference is more than chance explains**: its "
        f"interval does not include 0. {changed}"
    )


def make_recall_table(comparison: Comparison) -> pd.DataFrame:
    """Make the table of recalls that `plots.before_after.plot_recall_before_after` takes."""
    missing = Share(float("nan"), float("nan"), float("nan"))
    rows = []
    for recall in comparison.recalls:
        before, after = recall.before or missing, recall.after or missing
        rows.append((recall.class_name, recall.images, *before, *after))
    sides = [f"{when}{end}" for when in ("before", "after") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["class_name", "n_cells", *sides])


def _make_metrics_table(comparison: Comparison) -> pd.DataFrame:
    rows = [
        ("Balanced accuracy", *map(_format_share, comparison.balanced)),
        ("Accuracy", *map(_format_share, comparison.accuracy)),
        ("Flagged for review", *map(format_share, comparison.flagged_share)),
        *(
            (f"Recall, {format_label(recall.class_name)}", *_format_recalls(recall.before, recall.after))
            for recall in comparison.recalls
        ),
    ]
    return pd.DataFrame(rows, columns=["On the held-out cells", "Before", "After"])


def _format_recalls(before: Share | None, after: Share | None) -> tuple[str, str]:
    return "-" if before is None else _format_share(before), "-" if after is None else _format_share(after)


def _describe_cells(comparison: Comparison) -> str:
    lacking = [format_label(recall.class_name) for recall in comparison.recalls if recall.before is None]
    sentences = [
        f"Trained on {format_count(comparison.trained_on, 'cell')}"
        + (f" and {format_count(comparison.old, 'old image')}" if comparison.old else "")
        + f", measured on {format_count(comparison.held_out, 'held-out cell')} "
        f"({format_count(comparison.source_cells, 'source cell')}).",
        f"Thresholds of Confident, Check and Unfamiliar: {comparison.thresholds}.",
    ]
    shares = [
        *comparison.balanced,
        *(recall.after for recall in comparison.recalls),
        *(recall.before for recall in comparison.recalls),
    ]
    if any(share is not None and share.low == share.high for share in shares):
        sentences.append(
            "An interval of zero width, as where every cell is correct, does not show how uncertain a metric is."
        )
    if lacking:
        sentences.append(f"No cell was held out of: {', '.join(lacking)}. The recall of these classes is not known.")
    return " ".join(sentences)


def _describe_held_out(comparison: Comparison) -> str:
    return f"{format_count(comparison.source_cells, 'source cell')}; trained on {format_count(comparison.trained_on, 'cell')}"


def _format_interval(share: Share) -> str:
    return f"95 % interval {100 * share.low:.1f} to {100 * share.high:.1f} %"


def _format_share(share: Share) -> str:
    return format_share(share.value, (share.low, share.high))


def _format_points(difference: float) -> str:
    return f"{_format_signed(difference)} points"


def _format_points_interval(share: Share) -> str:
    return f"{_format_signed(share.low)} to {_format_signed(share.high)}"


def _format_signed(difference: float) -> str:
    return f"{100 * difference:+.1f}" if difference else "0.0"

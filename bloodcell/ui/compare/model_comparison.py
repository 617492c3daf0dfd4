"""Chosen models against each other: a plain sentence, tests, matrices, the pictures on which they disagree, curves."""

from functools import partial

import pandas as pd
import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.core.settings import load_settings
from bloodcell.evaluation.compare import compare_evaluations, find_disagreements
from bloodcell.evaluation.derived import build_ensemble
from bloodcell.evaluation.evaluation_folder import read_box
from bloodcell.evaluation.library import EvaluationInfo, store_evaluation
from bloodcell.model_store.folder import HISTORY_FILE
from bloodcell.model_store.library import get_model
from bloodcell.plots import theme
from bloodcell.plots.confusion import COUNTS, ROW_NORMALISED, plot_confusion_difference, plot_confusion_matrix
from bloodcell.plots.training import plot_accuracy_curves, plot_loss_curves
from bloodcell.reports import compare_words
from bloodcell.ui.evaluate.evaluation_library import find_dataset, load_evaluation
from bloodcell.ui.evaluate.image_view import DatasetImages
from bloodcell.ui.shared import thumbnails
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import NO_MODEBAR, show_image_grid
from bloodcell.ui.shared.messages import escape_md, show_errors

IMAGES_PER_PAGE = 24


def show_verdicts(chosen: list[EvaluationInfo]) -> None:
    """Say of each model whether it is better than the first, with the tests behind it."""
    first, *others = chosen
    found = []
    for other in others:
        if other.protocol.class_names != first.protocol.class_names:
            st.warning(
                f"{escape_md(other.protocol.model)} knows other classes than {escape_md(first.protocol.model)}, so the two are "
                "not compared.",
                icon=":material/difference:",
            )
            continue
        with st.spinner("Comparing …"):
            one = get_or_compute(
                ("comparison", first.name, other.name),
                partial(compare_evaluations, load_evaluation(first), load_evaluation(other)),
            )
        found.append(one)
        is_shown = one.accuracy.is_shown
        st.markdown(
            f"{':material/check_circle:' if is_shown else ':material/drag_handle:'} **{escape_md(one.pair_sentence)}**"
        )
    if found:
        rows = pd.DataFrame(compare_words.format_test_rows(found), columns=list(compare_words.TESTS_HEADER))
        st.dataframe(rows, hide_index=True, key="compare-tests")
        st.caption(compare_words.TESTS_NOTE)
    _offer_ensemble(chosen)


def _offer_ensemble(chosen: list[EvaluationInfo]) -> None:
    """Judge the mean of the chosen models' probabilities, as an evaluation of its own."""
    single_models = [one for one in chosen if not one.protocol.members]
    if len(single_models) < 2 or len({tuple(one.protocol.class_names) for one in single_models}) > 1:
        return
    if st.button(
        f"Judge these {len(single_models)} as one (ensemble)",
        icon=":material/join:",
        key="compare-ensemble",
        help="Their probabilities are averaged; Confident is only what all of them are sure of and agree on.",
    ):
        settings = load_settings()
        with show_errors(), st.spinner("Working out the figures …"):
            found = build_ensemble([load_evaluation(one) for one in single_models])
            name = "ensemble-" + "-".join(one.protocol.model for one in single_models)[:60].lower()
            store_evaluation(found, settings.evaluations_dir / f".{name}.unfinished", name, settings)
            st.rerun()


def show_matrices(chosen: list[EvaluationInfo]) -> None:
    """Show the matrices side by side, and of two models what the second answers more or less often."""
    shares = st.toggle("Shares of each label", key="compare-shares")
    columns = st.columns(min(len(chosen), 2), gap="medium")
    for number, one in enumerate(chosen):
        with columns[number % len(columns)]:
            st.markdown(f"**{escape_md(one.protocol.model)}**")
            st.plotly_chart(
                plot_confusion_matrix(
                    one.report.confusion, one.protocol.class_names, ROW_NORMALISED if shares else COUNTS
                ),
                config=NO_MODEBAR,
                key=f"compare-matrix-{one.name}",
                alt=f"Confusion matrix of {one.protocol.model}",
            )
    for other in chosen[1:]:
        if other.protocol.class_names == chosen[0].protocol.class_names:
            st.markdown(
                f"**{escape_md(other.protocol.model)} less {escape_md(chosen[0].protocol.model)}**, in pictures"
            )
            st.plotly_chart(
                plot_confusion_difference(
                    chosen[0].report.confusion, other.report.confusion, other.protocol.class_names
                ),
                config=NO_MODEBAR,
                key=f"compare-difference-{other.name}",
                alt="Difference of the confusion matrices",
            )
            st.caption("Blue: better than the first model. Orange: worse.")


def show_disagreements(chosen: list[EvaluationInfo]) -> None:
    """Show the pictures on which the chosen models do not all say the same."""
    tables = [load_evaluation(one).prediction_table.set_index("file") for one in chosen]
    names = [one.protocol.model for one in chosen]
    kinds = find_disagreements([load_evaluation(one) for one in chosen])
    kind = st.selectbox(
        "Pictures", list(kinds), format_func=lambda one: f"{one} ({len(kinds[one]):,})", key="compare-kind"
    )
    files = kinds[kind]
    if not files:
        st.caption("There is no such picture.")
        return
    pages = -(-len(files) // IMAGES_PER_PAGE)
    page = (
        int(st.number_input(f"Page, of {pages}", 1, pages, 1, key=f"compare-page-{kind}", width=140))
        if pages > 1
        else 1
    )
    evaluation = load_evaluation(chosen[0])
    source, cache = DatasetImages(evaluation, find_dataset(chosen[0])), thumbnails.get_shared_cache()
    shown = []
    with show_errors():
        for file in files[(page - 1) * IMAGES_PER_PAGE : page * IMAGES_PER_PAGE]:
            row = tables[0].loc[file]
            box = read_box(row)
            if box is None:
                uri = thumbnails.make_thumbnail(cache, source, row["sha256"]) or ""
            else:
                (uri,), _ = thumbnails.make_tile_crops(cache, source, [(row["sha256"], box)])
            words = " · ".join(
                f"{name}: {compare_words.describe_prediction(table.loc[file])}"
                for name, table in zip(names, tables, strict=True)
            )
            shown.append((uri, f"{theme.format_label(row['label'])}. {words}"))
        st.caption("First the label, then what each model says and how sure it is.")
        show_image_grid(shown, "repeat(auto-fill,minmax(150px,1fr))")


def show_curves(chosen: list[EvaluationInfo]) -> None:
    """Show the learning curves of the chosen models over each other."""
    runs, missing = {}, []
    for one in chosen:
        name = one.protocol.model
        try:
            runs[name] = pd.read_csv(get_model(name, load_settings()).folder / HISTORY_FILE)
        except (OSError, ValueError, BloodcellError):
            missing.append(name)
    if missing:
        st.caption(f"No learning curve is kept of {escape_md(', '.join(missing))}.")
    if runs:
        left, right = st.columns(2, gap="medium")
        left.plotly_chart(plot_loss_curves(runs), config=NO_MODEBAR, key="compare-loss", alt="Loss of each epoch")
        right.plotly_chart(
            plot_accuracy_curves(runs), config=NO_MODEBAR, key="compare-accuracy", alt="Accuracy of each epoch"
        )
        st.caption("Validation is what each model held out itself, so the curves may be of different cells.")

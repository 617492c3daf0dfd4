"""Chosen models compared: a plain verdict, tests, confusion matrices, the images on which they disagree, curves."""

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
    """Say of each model whether it is better than the first, with the tests behind it.

    Parameters
    ----------
    chosen : list of EvaluationInfo
        Two or more evaluations on the same images; the first is the reference.
    """
    first, *others = chosen
    comparisons = []
    for other in others:
        if other.protocol.class_names != first.protocol.class_names:
            st.warning(
                f"{escape_md(other.protocol.model)} and {escape_md(first.protocol.model)} have different classes, so "
                "they are not compared.",
                icon=":material/difference:",
            )
            continue
        with st.spinner("Comparing …"):
            comparison = get_or_compute(
                ("comparison", first.name, other.name),
                partial(compare_evaluations, load_evaluation(first), load_evaluation(other)),
            )
        comparisons.append(comparison)
        icon = ":material/check_circle:" if comparison.accuracy.is_shown else ":material/drag_handle:"
        st.markdown(f"{icon} **{escape_md(comparison.pair_sentence)}**")
    if comparisons:
        rows = pd.DataFrame(compare_words.format_test_rows(comparisons), columns=list(compare_words.TESTS_HEADER))
        st.dataframe(rows, hide_index=True, key="compare-tests")
        st.caption(compare_words.TESTS_NOTE)
    _offer_ensemble(chosen)


def _offer_ensemble(chosen: list[EvaluationInfo]) -> None:
    """Offer to evaluate the mean of the probabilities of the chosen models, as an evaluation of its own."""
    members = [evaluation for evaluation in chosen if not evaluation.protocol.members]
    if len(members) < 2 or len({tuple(member.protocol.class_names) for member in members}) > 1:
        return
    if st.button(
        f"Evaluate these {len(members)} as an ensemble",
        icon=":material/join:",
        key="compare-ensemble",
        help="Averages their probabilities. A cell is Confident only where all of them are confident and agree.",
    ):
        settings = load_settings()
        with show_errors(), st.spinner("Computing the metrics …"):
            ensemble = build_ensemble([load_evaluation(member) for member in members])
            name = "ensemble-" + "-".join(member.protocol.model for member in members)[:60].lower()
            store_evaluation(ensemble, settings.evaluations_dir / f".{name}.unfinished", name, settings)
            st.rerun()


def show_matrices(chosen: list[EvaluationInfo]) -> None:
    """Show the confusion matrices side by side, and how each differs from the first; `chosen` as in `show_verdicts`."""
    first = chosen[0]
    is_normalised = st.toggle("Row-normalised (recall)", key="compare-shares")
    columns = st.columns(min(len(chosen), 2), gap="medium")
    for number, evaluation in enumerate(chosen):
        model = evaluation.protocol.model
        with columns[number % len(columns)]:
            st.markdown(f"**{escape_md(model)}**")
            st.plotly_chart(
                plot_confusion_matrix(
                    evaluation.report.confusion,
                    evaluation.protocol.class_names,
                    ROW_NORMALISED if is_normalised else COUNTS,
                ),
                config=NO_MODEBAR,
                key=f"compare-matrix-{evaluation.name}",
                alt=f"Confusion matrix of {model}",
            )
    for other in chosen[1:]:
        if other.protocol.class_names == first.protocol.class_names:
            st.markdown(
                f"**{escape_md(other.protocol.model)} minus {escape_md(first.protocol.model)}**, number of images"
            )
            st.plotly_chart(
                plot_confusion_difference(first.report.confusion, other.report.confusion, other.protocol.class_names),
                config=NO_MODEBAR,
                key=f"compare-difference-{other.name}",
                alt="Difference of the confusion matrices",
            )
            st.caption("Blue: better than the first model. Orange: worse.")


def show_disagreements(chosen: list[EvaluationInfo]) -> None:
    """Show the images on which the predictions differ; `chosen` as in `show_verdicts`."""
    evaluations = [load_evaluation(info) for info in chosen]
    files_by_kind = find_disagreements(evaluations)
    kind = st.selectbox(
        "Images",
        list(files_by_kind),
        format_func=lambda kind: f"{kind} ({len(files_by_kind[kind]):,})",
        key="compare-kind",
    )
    files = files_by_kind[kind]
    if not files:
        st.caption("There is no such image.")
        return
    n_pages = -(-len(files) // IMAGES_PER_PAGE)
    page = 1
    if n_pages > 1:
        page = int(st.number_input(f"Page (of {n_pages})", 1, n_pages, 1, key=f"compare-page-{kind}", width=140))
    source, cache = DatasetImages(evaluations[0], find_dataset(chosen[0])), thumbnails.get_shared_cache()
    names = [info.protocol.model for info in chosen]
    tables = [evaluation.prediction_table.set_index("file") for evaluation in evaluations]
    images = []
    with show_errors():
        for file in files[(page - 1) * IMAGES_PER_PAGE : page * IMAGES_PER_PAGE]:
            row = tables[0].loc[file]
            box = read_box(row)
            if box is None:
                uri = thumbnails.make_thumbnail(cache, source, row["sha256"]) or ""
            else:
                (uri,), _ = thumbnails.make_tile_crops(cache, source, [(row["sha256"], box)])
            predictions = " · ".join(
                f"{name}: {compare_words.describe_prediction(table.loc[file])}"
                for name, table in zip(names, tables, strict=True)
            )
            images.append((uri, f"{theme.format_label(row['label'])}. {predictions}"))
        st.caption("The true class, then the predicted class of each model with its probability.")
        show_image_grid(images, "repeat(auto-fill,minmax(150px,1fr))")


def show_curves(chosen: list[EvaluationInfo]) -> None:
    """Show the training curves of the chosen models in the same charts; `chosen` as in `show_verdicts`."""
    runs, missing = {}, []
    for evaluation in chosen:
        name = evaluation.protocol.model
        try:
            runs[name] = pd.read_csv(get_model(name, load_settings()).folder / HISTORY_FILE)
        except (OSError, ValueError, BloodcellError):
            missing.append(name)
    if missing:
        st.caption(f"No training curves were saved for {escape_md(', '.join(missing))}.")
    if runs:
        left, right = st.columns(2, gap="medium")
        left.plotly_chart(plot_loss_curves(runs), config=NO_MODEBAR, key="compare-loss", alt="Loss of each epoch")
        right.plotly_chart(
            plot_accuracy_curves(runs), config=NO_MODEBAR, key="compare-accuracy", alt="Accuracy of each epoch"
        )
        st.caption("Each model held out its own validation cells, so the validation curves may be of different cells.")

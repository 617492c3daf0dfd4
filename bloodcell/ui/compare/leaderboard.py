"""The leaderboard of all models that were evaluated on the same images, and the choice of those to compare."""

import numpy as np
import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.evaluation.leaderboard import build_leaderboard, group_by_images
from bloodcell.evaluation.library import EvaluationInfo, list_evaluations
from bloodcell.plots.evaluation import plot_accuracies
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.shared.messages import escape_md
from bloodcell.ui.train.job_view import format_duration

BOARD_KEY, CHOSEN_KEY = "compare-board", "compare-models"


def choose_models() -> tuple[list[EvaluationInfo], list[EvaluationInfo]]:
    """Ask for a set of labelled images, show its leaderboard, and ask for the models to compare.

    Returns
    -------
    on_board : list of EvaluationInfo
        The newest evaluation of each model on the chosen images; empty where there are no evaluations.
    chosen : list of EvaluationInfo
        Those to compare, the reference first.
    """
    boards = group_by_images(list_evaluations(load_settings()))
    if not boards:
        st.info(
            "There are no evaluations yet. Evaluate two models on the same labelled images to compare them here.",
            icon=":material/leaderboard:",
        )
        st.page_link("pages/evaluate.py", label="Evaluate a model", icon=":material/query_stats:")
        return [], []
    if st.session_state.get(BOARD_KEY) not in boards:
        st.session_state.pop(BOARD_KEY, None)
    # The board with the most models first: there is something to compare.
    board_names = sorted(boards, key=lambda name: -len(boards[name]))
    chosen_board = st.selectbox(
        "Labelled images",
        board_names,
        format_func=lambda name: _describe_board(boards[name]),
        key=BOARD_KEY,
        bind="query-params",
    )
    on_board = boards[chosen_board]
    table = build_leaderboard(on_board, load_settings())
    _show_table(table)
    by_name = {evaluation.name: evaluation for evaluation in on_board}
    best_first = table["evaluation"].tolist()
    left, right = st.columns(2, gap="medium")
    right.plotly_chart(
        plot_accuracies(table), config=NO_MODEBAR, key="compare-chart", alt="Accuracy of each model with its interval"
    )
    chosen_names = left.multiselect(
        "Models to compare",
        best_first,
        best_first[:2],
        format_func=lambda name: by_name[name].protocol.model,
        key=f"{CHOSEN_KEY}-{chosen_board}",
        max_selections=8,
        help="The others are compared with the first.",
    )
    return on_board, [by_name[name] for name in chosen_names]


def _describe_board(evaluations: list[EvaluationInfo]) -> str:
    protocol, report = evaluations[0].protocol, evaluations[0].report
    part = f", {protocol.part}" if protocol.part else ""
    n_excluded = len(protocol.excluded_files)
    excluded = f", without {format_count(n_excluded, 'label error')}" if n_excluded else ""
    return (
        f"{protocol.dataset}{part}{excluded}: {format_count(report.n_images, 'image')} of "
        f"{format_count(report.n_source_cells, 'source cell')}, {format_count(len(evaluations), 'model')}"
    )


def _show_table(table: pd.DataFrame) -> None:
    leaking = table[table["leaking_images"].fillna(0) > 0]["model"].tolist()
    if leaking:
        st.error(
            f"{escape_md(', '.join(leaking))} {'was' if len(leaking) == 1 else 'were'} trained on images of this set: the "
            "results are too good.",
            icon=":material/warning:",
        )
    shown = pd.DataFrame(
        {
            "Model": table["model"],
            "Accuracy": table["accuracy"],
            "95 % interval": [_format_interval(*row) for row in table[["accuracy_low", "accuracy_high"]].to_numpy()],
            "Balanced accuracy": table["balanced_accuracy"],
            "ECE": table["ece"],
            "Flagged for review": table["flagged_for_review"],
            "Size (MB)": table["size_mb"],
            "Parameters": table["parameters"],
            "Training time": [
                format_duration(seconds) if seconds == seconds else "-" for seconds in table["training_s"]
            ],
            "ms per image": table["ms_per_image"],
        }
    )
    if table["leaking_images"].fillna(1).any():
        shown["Trained on"] = [_format_leaking(n_images) for n_images in table["leaking_images"]]
    share = st.column_config.NumberColumn(format="percent")
    st.dataframe(
        shown,
        hide_index=True,
        key="compare-table",
        column_config=dict.fromkeys(("Accuracy", "Balanced accuracy", "Flagged for review"), share)
        | {"ECE": st.column_config.NumberColumn(format="%.3f")}
        | {name: st.column_config.NumberColumn(format="%.1f") for name in ("Size (MB)", "ms per image")}
        | {"Parameters": st.column_config.NumberColumn(format="localized")},
    )
    st.caption(
        "Click a heading to sort. ms per image: decoding, finding and classifying the cells, as measured during the "
        "evaluation; other work on the machine slows it down, so small differences mean nothing."
    )


def _format_interval(low: float, high: float) -> str:
    return "" if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f}"


def _format_leaking(n_images: float) -> str:
    if np.isnan(n_images):
        return "not known"
    return format_count(int(n_images), "image") if n_images else "none"

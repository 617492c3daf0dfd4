"""The leaderboard of all models that were judged on the same pictures, and the choice of those to compare."""

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


def choose() -> tuple[list[EvaluationInfo], list[EvaluationInfo]]:
    """Ask which pictures, show the leaderboard on them, ask which models; (all on the board, the chosen ones)."""
    by_board = group_by_images(list_evaluations(load_settings()))
    if not by_board:
        st.info(
            "Nothing was judged yet. Evaluate two models on the same labelled pictures; here they then stand side by side.",
            icon=":material/leaderboard:",
        )
        st.page_link("pages/evaluate.py", label="Evaluate a model", icon=":material/query_stats:")
        return [], []
    if st.session_state.get(BOARD_KEY) not in by_board:
        st.session_state.pop(BOARD_KEY, None)
    # The board with the most models first: there is something to compare.
    names = sorted(by_board, key=lambda name: -len(by_board[name]))
    chosen_board = st.selectbox(
        "Labelled pictures",
        names,
        format_func=lambda name: _describe_board(by_board[name]),
        key=BOARD_KEY,
        bind="query-params",
    )
    on_board = by_board[chosen_board]
    table = build_leaderboard(on_board, load_settings())
    _show_table(table)
    by_name = {one.name: one for one in on_board}
    best = table["evaluation"].tolist()
    left, right = st.columns(2, gap="medium")
    right.plotly_chart(
        plot_accuracies(table), config=NO_MODEBAR, key="compare-chart", alt="Accuracy of each model with its interval"
    )
    picked = left.multiselect(
        "Models to compare",
        best,
        best[:2],
        format_func=lambda name: by_name[name].protocol.model,
        key=f"{CHOSEN_KEY}-{chosen_board}",
        max_selections=8,
        help="The first is the one that the others are held against.",
    )
    return on_board, [by_name[name] for name in picked]


def _describe_board(some: list[EvaluationInfo]) -> str:
    one = some[0]
    part = f", {one.protocol.part}" if one.protocol.part else ""
    without = f", without {len(one.protocol.excluded_files)} label errors" if one.protocol.excluded_files else ""
    image_counts = (
        f"{format_count(one.report.n_images, 'picture')} of {format_count(one.report.n_source_cells, 'source cell')}"
    )
    return f"{one.protocol.dataset}{part}{without}: {image_counts}, {format_count(len(some), 'model')}"


def _show_table(table: pd.DataFrame) -> None:
    leaking = table[table["leaking_images"].fillna(0) > 0]["model"].tolist()
    if leaking:
        st.error(
            f"{escape_md(', '.join(leaking))} learned from pictures of this set: those figures are too good.",
            icon=":material/warning:",
        )
    shown = pd.DataFrame(
        {
            "Model": table["model"],
            "Right": table["accuracy"],
            "95 % interval": [_format_interval(*row) for row in table[["accuracy_low", "accuracy_high"]].to_numpy()],
            "Classes equal": table["balanced_accuracy"],
            "ECE": table["ece"],
            "Held back": table["flagged_for_review"],
            "MB": table["size_mb"],
            "Parameters": table["parameters"],
            "Trained for": [format_duration(seconds) if seconds == seconds else "-" for seconds in table["training_s"]],
            "ms a picture": table["ms_per_image"],
        }
    )
    if table["leaking_images"].fillna(1).any():
        shown["Learned from"] = [
            "not known" if n != n else f"{int(n):,}" if n else "none" for n in table["leaking_images"]
        ]
    share = st.column_config.NumberColumn(format="percent")
    st.dataframe(
        shown,
        hide_index=True,
        key="compare-table",
        column_config={"Right": share, "Classes equal": share, "Held back": share}
        | {"ECE": st.column_config.NumberColumn(format="%.3f")}
        | {name: st.column_config.NumberColumn(format="%.1f") for name in ("MB", "ms a picture")}
        | {"Parameters": st.column_config.NumberColumn(format="localized")},
    )
    st.caption(
        "A click on a heading sorts. ms a picture: decoding, finding and naming, as measured when each was judged; "
        "machines are busy at times, so small differences mean nothing."
    )


def _format_interval(low: float, high: float) -> str:
    return "" if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f}"

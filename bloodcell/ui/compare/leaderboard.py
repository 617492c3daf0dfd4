"""The leaderboard of all models that were judged on the same pictures, and the choice of those to compare."""

import numpy as np
import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.evaluation.leaderboard import boards, leaderboard
from bloodcell.evaluation.library import EvaluationInfo, list_evaluations
from bloodcell.plots.evaluation import accuracies
from bloodcell.ui.shared.image_rows import NO_BAR
from bloodcell.ui.shared.text import counted, plain
from bloodcell.ui.train.job_view import in_words

BOARD, CHOSEN = "compare-board", "compare-models"


def choose() -> tuple[list[EvaluationInfo], list[EvaluationInfo]]:
    """Ask which pictures, show the leaderboard on them, ask which models; (all on the board, the chosen ones)."""
    by_board = boards(list_evaluations(load_settings()))
    if not by_board:
        st.info(
            "Nothing was judged yet. Evaluate two models on the same labelled pictures; here they then stand side by side.",
            icon=":material/leaderboard:",
        )
        st.page_link("pages/evaluate.py", label="Evaluate a model", icon=":material/query_stats:")
        return [], []
    if st.session_state.get(BOARD) not in by_board:
        st.session_state.pop(BOARD, None)
    # The board with the most models first: there is something to compare.
    names = sorted(by_board, key=lambda name: -len(by_board[name]))
    chosen_board = st.selectbox(
        "Labelled pictures",
        names,
        format_func=lambda name: _board_words(by_board[name]),
        key=BOARD,
        bind="query-params",
    )
    on_board = by_board[chosen_board]
    table = leaderboard(on_board, load_settings())
    _show(table)
    by_name = {one.name: one for one in on_board}
    best = table["evaluation"].tolist()
    left, right = st.columns(2, gap="medium")
    right.plotly_chart(
        accuracies(table), config=NO_BAR, key="compare-chart", alt="Accuracy of each model with its interval"
    )
    picked = left.multiselect(
        "Models to compare",
        best,
        best[:2],
        format_func=lambda name: by_name[name].protocol["model"],
        key=f"{CHOSEN}-{chosen_board}",
        max_selections=8,
        help="The first is the one that the others are held against.",
    )
    return on_board, [by_name[name] for name in picked]


def _board_words(some: list[EvaluationInfo]) -> str:
    one = some[0]
    part = f", {one.protocol['part']}" if one.protocol["part"] else ""
    without = (
        f", without {len(one.protocol['left_out_marked'])} label errors" if one.protocol["left_out_marked"] else ""
    )
    pictures = f"{counted(one.report['images'], 'picture')} of {counted(one.report['source_cells'], 'source cell')}"
    return f"{one.protocol['dataset']}{part}{without}: {pictures}, {counted(len(some), 'model')}"


def _show(table: pd.DataFrame) -> None:
    leaking = table[table["leaking"].fillna(0) > 0]["model"].tolist()
    if leaking:
        st.error(
            f"{plain(', '.join(leaking))} learned from pictures of this set: those figures are too good.",
            icon=":material/warning:",
        )
    shown = pd.DataFrame(
        {
            "Model": table["model"],
            "Right": table["accuracy"],
            "95 % interval": [_range(*row) for row in table[["accuracy_low", "accuracy_high"]].to_numpy()],
            "Classes equal": table["balanced_accuracy"],
            "ECE": table["ece"],
            "Held back": table["held_back"],
            "MB": table["size_mb"],
            "Parameters": table["parameters"],
            "Trained for": [in_words(seconds) if seconds == seconds else "-" for seconds in table["training_s"]],
            "ms a picture": table["ms"],
        }
    )
    if table["leaking"].fillna(1).any():
        shown["Learned from"] = ["not known" if n != n else f"{int(n):,}" if n else "none" for n in table["leaking"]]
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


def _range(low: float, high: float) -> str:
    return "" if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f}"

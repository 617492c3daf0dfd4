"""Compare: models on the same pictures, one against the other, and one picture through several models."""

import streamlit as st

from bloodcell.ui import compare_board, compare_models, compare_one, compare_trials, layout
from bloodcell.ui.errors import show_errors

VERDICT, MATRICES, DISAGREE, CURVES = "Verdict", "Matrices", "Where they differ", "Learning curves"
VIEWS = {
    VERDICT: compare_models.show_verdicts,
    MATRICES: compare_models.show_matrices,
    DISAGREE: compare_models.show_disagreements,
    CURVES: compare_models.show_curves,
}
MODELS, PICTURE, TRIALS = "Models on labelled pictures", "One picture", "Trials of one spec"

layout.through_app()
st.header("Compare", anchor=False)
what = st.segmented_control(
    "What",
    [MODELS, PICTURE, TRIALS],
    default=MODELS,
    required=True,
    key="compare-what",
    label_visibility="collapsed",
    bind="query-params",
)
with show_errors():
    if what == PICTURE:
        compare_one.show()
    elif what == TRIALS:
        compare_trials.show()
    else:
        on_board, chosen = compare_board.choose()
        if on_board and len(chosen) < 2:
            st.info("Choose two models or more to compare them.", icon=":material/compare_arrows:")
        elif chosen:
            view = st.segmented_control(
                "Show",
                list(VIEWS),
                default=VERDICT,
                required=True,
                key="compare-view",
                label_visibility="collapsed",
                bind="query-params",
            )
            VIEWS[view or VERDICT](chosen)

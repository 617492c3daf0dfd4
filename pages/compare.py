"""The Compare page: models on the same labelled images, one image through several models, and repeated trials."""

import streamlit as st

from bloodcell.ui.compare import leaderboard, model_comparison, one_image, trials_comparison
from bloodcell.ui.shared import layout
from bloodcell.ui.shared.messages import show_errors

VERDICT, MATRICES, DISAGREEMENTS, CURVES = "Verdict", "Confusion matrices", "Disagreements", "Training curves"
VIEWS = {
    VERDICT: model_comparison.show_verdicts,
    MATRICES: model_comparison.show_matrices,
    DISAGREEMENTS: model_comparison.show_disagreements,
    CURVES: model_comparison.show_curves,
}
MODELS, IMAGE, TRIALS = "Models on labelled images", "One image", "Repeated trials"
# Since version 0.1.
RENAMED_VIEWS = {"Matrices": MATRICES, "Where they differ": DISAGREEMENTS, "Learning curves": CURVES}
RENAMED_MODES = {"Models on labelled pictures": MODELS, "One picture": IMAGE, "Trials of one spec": TRIALS}

layout.ensure_run_by_app()
st.header("Compare", anchor=False)
layout.translate_old_link("compare-what", RENAMED_MODES)
mode = st.segmented_control(
    "What",
    [MODELS, IMAGE, TRIALS],
    default=MODELS,
    required=True,
    key="compare-what",
    label_visibility="collapsed",
    bind="query-params",
)
with show_errors():
    if mode == IMAGE:
        one_image.show_one_image()
    elif mode == TRIALS:
        trials_comparison.show_trials()
    else:
        on_board, chosen = leaderboard.choose_models()
        if on_board and len(chosen) < 2:
            st.info("Choose two or more models to compare them.", icon=":material/compare_arrows:")
        elif chosen:
            layout.translate_old_link("compare-view", RENAMED_VIEWS)
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

"""Does the model know when it is wrong: reliability, risk against coverage, and what the statuses catch and miss."""

import pandas as pd
import streamlit as st

from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.evaluation.metrics.calibration import expected_calibration_error, remove_temperature
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.evaluation.metrics.reliability import analyse_confidence
from bloodcell.plots.evaluation import plot_reliability, plot_risk_coverage
from bloodcell.reports import evaluation_words as words
from bloodcell.ui.evaluate.evaluation_library import load_evaluation
from bloodcell.ui.shared.image_grid import NO_MODEBAR


def show(info: EvaluationInfo) -> None:
    """Show both charts and the table of statuses."""
    answers = load_evaluation(info).predictions()
    analysis = analyse_confidence(answers)
    if analysis is None:
        st.info("The model answered for none of these pictures.")
        return
    left, other = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            plot_reliability(analysis.bins), config=NO_MODEBAR, key="evaluation-reliability", alt="Reliability diagram"
        )
        st.caption(words.describe_calibration(info.report))
        _show_temperature(info, answers)
    with other:
        st.plotly_chart(
            plot_risk_coverage(
                {"by probability": (analysis.coverage, analysis.risk)}, words.find_confident_point(analysis)
            ),
            config=NO_MODEBAR,
            key="evaluation-risk",
            alt="Risk against coverage",
        )
        st.caption(words.describe_risk(analysis))
    st.markdown("**What the statuses catch and miss**")
    table = pd.DataFrame(words.format_status_rows(answers), columns=list(words.STATUSES_HEADER))
    st.dataframe(table, hide_index=True, key="evaluation-statuses")


def _show_temperature(info: EvaluationInfo, answers: Predictions) -> None:
    temperature = info.protocol.get("temperature")
    if temperature is None:
        return
    answered = answers.y_pred != NO_PREDICTION
    probs = remove_temperature(answers.probs[answered], temperature)
    raw_error = expected_calibration_error(answers.y_true[answered], probs)
    st.caption(
        f"The network's own answers are divided by a temperature of {temperature:.2f}, which was fitted when the model was "
        f"made, on cells held out then and never on these. Without it the error here would be {raw_error:.3f}."
    )

"""Calibration: reliability, risk against coverage, and which errors the statuses catch and miss."""

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
    predictions = load_evaluation(info).to_predictions()
    analysis = analyse_confidence(predictions)
    if analysis is None:
        st.info("The model made no prediction for any of these images.")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            plot_reliability(analysis.bins), config=NO_MODEBAR, key="evaluation-reliability", alt="Reliability diagram"
        )
        st.caption(words.describe_calibration(info.report))
        _show_temperature(info, predictions)
    with right:
        st.plotly_chart(
            plot_risk_coverage(
                {"by probability": (analysis.coverage, analysis.risk)}, words.find_confident_point(analysis)
            ),
            config=NO_MODEBAR,
            key="evaluation-risk",
            alt="Risk against coverage",
        )
        st.caption(words.describe_risk(analysis))
    st.markdown("**Errors that the statuses catch and miss**")
    table = pd.DataFrame(words.format_status_rows(predictions), columns=list(words.STATUSES_HEADER))
    st.dataframe(table, hide_index=True, key="evaluation-statuses")


def _show_temperature(info: EvaluationInfo, predictions: Predictions) -> None:
    temperature = info.protocol.temperature
    if temperature is None:
        return
    is_predicted = predictions.y_pred != NO_PREDICTION
    probs = remove_temperature(predictions.probs[is_predicted], temperature)
    raw_error = expected_calibration_error(predictions.y_true[is_predicted], probs)
    st.caption(
        f"The network's outputs are divided by a temperature of {temperature:.2f}, fitted on the held-out cells of the "
        f"training, never on these images. Without it, the calibration error here would be {raw_error:.3f}."
    )

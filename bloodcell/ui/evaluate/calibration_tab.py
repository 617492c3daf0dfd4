"""Does the model know when it is wrong: reliability, risk against coverage, and what the statuses catch and miss."""

import pandas as pd
import streamlit as st

from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.evaluation.metrics.calibration import expected_calibration_error, without_temperature
from bloodcell.evaluation.metrics.predictions import NOT_ANSWERED, Predictions
from bloodcell.evaluation.metrics.reliability import how_sure
from bloodcell.plots.evaluation import reliability, risk_against_coverage
from bloodcell.reports import evaluation_words as words
from bloodcell.ui.evaluate.evaluation_library import answers_of
from bloodcell.ui.shared.image_rows import NO_BAR


def show(info: EvaluationInfo) -> None:
    """Show both charts and the table of statuses."""
    answers = answers_of(info).predictions()
    sure = how_sure(answers)
    if sure is None:
        st.info("The model answered for none of these pictures.")
        return
    left, other = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(reliability(sure.bins), config=NO_BAR, key="evaluation-reliability", alt="Reliability diagram")
        st.caption(words.calibration_words(info.report))
        _say_temperature(info, answers)
    with other:
        st.plotly_chart(
            risk_against_coverage({"by probability": (sure.coverage, sure.risk)}, words.confident_point(sure)),
            config=NO_BAR,
            key="evaluation-risk",
            alt="Risk against coverage",
        )
        st.caption(words.risk_words(sure))
    st.markdown("**What the statuses catch and miss**")
    table = pd.DataFrame(words.status_table(answers), columns=list(words.STATUSES_HEADER))
    st.dataframe(table, hide_index=True, key="evaluation-statuses")


def _say_temperature(info: EvaluationInfo, answers: Predictions) -> None:
    temperature = info.protocol.get("temperature")
    if temperature is None:
        return
    answered = answers.y_pred != NOT_ANSWERED
    probs = without_temperature(answers.probs[answered], temperature)
    alone = expected_calibration_error(answers.y_true[answered], probs)
    st.caption(
        f"The network's own answers are divided by a temperature of {temperature:.2f}, which was fitted when the model was "
        f"made, on cells held out then and never on these. Without it the error here would be {alone:.3f}."
    )

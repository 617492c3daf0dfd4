"""Does the model know when it is wrong: reliability, risk against coverage, and what the statuses catch and miss."""

import pandas as pd
import streamlit as st

from bloodcell.evaluate.reliability import how_sure
from bloodcell.evaluate.shelf import EvaluationInfo
from bloodcell.plots import evaluation_words as words
from bloodcell.plots.evaluation import reliability, risk_against_coverage
from bloodcell.ui.cell_view import NO_BAR
from bloodcell.ui.evaluation_shelf import answers_of


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

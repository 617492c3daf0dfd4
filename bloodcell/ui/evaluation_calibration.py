"""Does the model know when it is wrong: reliability, risk against coverage, and what the statuses catch and miss."""

import numpy as np
import pandas as pd
import streamlit as st

from bloodcell.classes import CELL_STATUSES, CONFIDENT
from bloodcell.evaluate.calibration import expected_calibration_error, without_temperature
from bloodcell.evaluate.predictions import NOT_ANSWERED, Predictions
from bloodcell.evaluate.reliability import reliability_bins, risk_area, risk_coverage
from bloodcell.evaluate.shelf import EvaluationInfo
from bloodcell.plots.evaluation import reliability, risk_against_coverage
from bloodcell.plots.theme import STATUS_LOOKS
from bloodcell.ui.evaluation_shelf import answers_of
from bloodcell.ui.figures import NO_BAR

BINS = 15


def show(info: EvaluationInfo) -> None:
    """Show both charts and the table of statuses."""
    answers = answers_of(info).predictions()
    answered = answers.y_pred != NOT_ANSWERED
    if not answered.any():
        st.info("The model answered for none of these pictures.")
        return
    right = answers.y_pred == answers.y_true
    confidence = answers.probs.max(axis=1)
    left, other = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            reliability(reliability_bins(confidence[answered], right[answered], BINS)),
            config=NO_BAR,
            key="evaluation-reliability",
            alt="Reliability diagram",
        )
        ece = info.report["figures"]["ece"]
        interval = f" ({ece['interval'][0]:.3f} to {ece['interval'][1]:.3f})" if ece["interval"] else ""
        st.caption(
            f"Calibration error (ECE, {BINS} bins) {ece['value']:.3f}{interval}. Bars below the dotted line: the model says "
            "more than it knows. Large points: many pictures."
        )
        _say_temperature(info, answers.y_true[answered], answers.probs[answered])
    with other:
        coverage, risk = risk_coverage(confidence[answered], right[answered])
        is_confident = answers.status == CONFIDENT
        points = {}
        if is_confident.any():
            points["Confident pictures"] = (float(is_confident[answered].mean()), float((~right[is_confident]).mean()))
        st.plotly_chart(
            risk_against_coverage({"by probability": (coverage, risk)}, points),
            config=NO_BAR,
            key="evaluation-risk",
            alt="Risk against coverage",
        )
        st.caption(
            f"Mean over all shares (area under the curve) {risk_area(coverage, risk):.4f}. The diamond is what the statuses "
            "let through: below the line they choose better than the probability alone."
        )
    st.markdown("**What the statuses catch and miss**")
    st.dataframe(status_table(answers), hide_index=True, key="evaluation-statuses")


def _say_temperature(info: EvaluationInfo, y_true: np.ndarray, probs: np.ndarray) -> None:
    temperature = info.protocol.get("temperature")
    if temperature is None:
        return
    alone = expected_calibration_error(y_true, without_temperature(probs, temperature), BINS)
    st.caption(
        f"The network's own answers are divided by a temperature of {temperature:.2f}, which was fitted when the model was "
        f"made, on cells held out then and never on these. Without it the error here would be {alone:.3f}."
    )


def status_table(answers: Predictions) -> pd.DataFrame:
    """A row a status: pictures, wrong ones, and the share of all wrong answers that lie there."""
    wrong = answers.y_pred != answers.y_true
    rows = []
    for status in (*CELL_STATUSES, ""):
        mine = answers.status == status
        if not mine.any() and not status:
            continue
        rows.append(
            {
                "Status": STATUS_LOOKS[status].word if status else "No answer",
                "Pictures": int(mine.sum()),
                "Wrong": int((mine & wrong).sum()),
                "Right among them": _percent(np.mean(~wrong[mine]) if mine.any() else None),
                "Of all wrong answers": _percent(np.sum(mine & wrong) / wrong.sum() if wrong.any() else None),
                "": "missed" if status == CONFIDENT else "caught",
            }
        )
    return pd.DataFrame(rows)


def _percent(share: float | np.floating | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"

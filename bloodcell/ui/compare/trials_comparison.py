"""Repeated trials of the same settings: mean and standard deviation over their runs."""

import pandas as pd
import streamlit as st

from bloodcell.core.errors import RunError
from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.trials import read_trials
from bloodcell.plots.experiments import METRIC_TITLES
from bloodcell.training.output.result_folder import TRIALS_FILE

METRICS = ("accuracy", "balanced_accuracy", "log_loss")


def show_trials() -> None:
    """Show a row for every finished set of trials in the workspace."""
    rows = []
    for file in sorted(load_settings().runs_dir.glob(f"*/{TRIALS_FILE}")):
        try:
            result = read_trials(file.parent)
        except RunError:
            continue
        spread = result.spread.set_index("figure")
        row: dict[str, str] = {"Trials": file.parent.name, "Runs": str(len(result.trials))}
        row["Converged"] = f"{result.converged} of {len(result.trials)}"
        for name in METRICS:
            if name in spread.index:
                row[METRIC_TITLES[name]] = _format_spread(name, spread.loc[name])
        rows.append(row | {"Note": "leaky split" if result.leaky else ""})
    if not rows:
        st.info(
            "There are no repeated trials yet. On the Train page, choose Trials in place of One model.",
            icon=":material/replay:",
        )
        st.page_link("pages/train.py", label="Train", icon=":material/model_training:")
        return
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="compare-trials")
    st.caption(
        "Mean ± standard deviation over runs with the same settings that differ only in their seed, each measured on its "
        "held-out cells. Two rows whose ranges overlap cannot be told apart by these runs."
    )


def _format_spread(name: str, row: pd.Series) -> str:
    if name == "log_loss":
        return f"{row['mean']:.3f} ± {row['sd']:.3f}"
    return f"{100 * row['mean']:.1f} ± {100 * row['sd']:.1f} %"

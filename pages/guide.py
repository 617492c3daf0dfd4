"""The Guide page: statuses, keys, limits, and public image sets."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.ui.guide import guide_text, public_sets
from bloodcell.ui.shared import layout

layout.ensure_run_by_app()
st.header("Guide", anchor=False)
left, right = st.columns(2, gap="large")
with left:
    st.subheader("What the statuses mean", anchor=False)
    st.markdown(guide_text.format_statuses())
    st.subheader("Results for an image", anchor=False)
    st.markdown(guide_text.format_table(("Result", "Meaning"), guide_text.IMAGE_OUTCOMES))
with right:
    st.subheader("Keys on the Classify page", anchor=False)
    st.markdown(guide_text.format_table(("Key", "What it does"), guide_text.KEYS))
st.subheader("Limits", anchor=False)
st.markdown(guide_text.LIMITS)
st.subheader("Public image sets", anchor=False)
public_sets.show_sets()
public_sets.ask_download()
st.subheader("Where your data is stored", anchor=False)
st.markdown("Images, results and reviews stay on this computer, in the workspace folder:")
st.code(str(load_settings().home), language=None, wrap_lines=True)

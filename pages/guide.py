"""What the marks mean, the keys, the limits, and the public image sets."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.ui.guide import guide_text, public_sets
from bloodcell.ui.shared import layout

layout.ensure_run_by_app()
st.header("Guide", anchor=False)
left, right = st.columns(2, gap="large")
with left:
    st.subheader("What the marks mean", anchor=False)
    st.markdown(guide_text.format_statuses())
    st.subheader("What an image can be", anchor=False)
    st.markdown(guide_text.format_table(("Outcome", "Meaning"), guide_text.IMAGE_OUTCOMES))
with right:
    st.subheader("Keys on the Classify page", anchor=False)
    st.markdown(guide_text.format_table(("Key", "What it does"), guide_text.KEYS))
st.subheader("Limits", anchor=False)
st.markdown(guide_text.LIMITS)
st.subheader("Public image sets", anchor=False)
public_sets.show_sets()
public_sets.ask_download()
st.subheader("Where things are kept", anchor=False)
st.markdown("Images, results and decisions stay on this computer, in the workspace folder:")
st.code(str(load_settings().home), language=None, wrap_lines=True)

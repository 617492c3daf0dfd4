"""Bloodcell in the browser: navigation and page settings only."""

import streamlit as st

from bloodcell.ui import layout

st.set_page_config(page_title="Bloodcell", page_icon="🩸", layout="wide", initial_sidebar_state=232)
page = st.navigation(
    [
        st.Page("pages/classify.py", title="Classify", icon=":material/biotech:", default=True),
        st.Page("pages/models.py", title="Models", icon=":material/inventory_2:"),
        st.Page("pages/guide.py", title="Guide", icon=":material/menu_book:"),
    ]
)
layout.frame()
page.run()

"""Long work in a page: its result, its errors, and what is said and saved once it was stopped."""

import pytest
from streamlit.testing.v1 import AppTest


def page_with_asked_work():
    """Work that a click asks for, and that another click ends: `st.rerun` leaves it as that click would."""
    import streamlit as st

    from bloodcell.core.errors import DatasetError
    from bloodcell.ui.shared.messages import show_errors
    from bloodcell.ui.shared.progress import run_with_bar, show_stop_notice

    def work(on_progress, should_stop):
        on_progress(1, 2)
        assert not should_stop()
        if st.session_state["how"] == "stopped":
            st.rerun()
        if st.session_state["how"] == "failed":
            raise DatasetError("There is nothing to count.")
        on_progress(2, 2)
        return 7

    show_stop_notice()
    if st.button("Count", key="count"):
        with show_errors():
            st.write(f"result {run_with_bar('Counting cells', work)}")


def page_with_unasked_work():
    import streamlit as st

    from bloodcell.ui.shared.progress import get_or_run_with_bar

    def work(on_progress, should_stop):
        on_progress(1, 1)
        st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        return "all levels"

    st.write(f"found {get_or_run_with_bar(('set', 'levels'), 'Counting levels', work)}")


@pytest.fixture(autouse=True)
def nothing_kept():
    import streamlit as st

    st.cache_resource.clear()


def asked(how):
    app = AppTest.from_function(page_with_asked_work)
    app.session_state["how"] = how
    app.run()
    app.button(key="count").click().run()
    assert not app.exception
    return app


def keys(app):
    return [one.key for one in app.button]


def test_the_result_stands_and_bar_and_button_are_gone():
    app = asked("done")
    assert app.markdown[0].value == "result 7"
    assert keys(app) == ["count"]
    assert not app.info


def test_an_error_takes_bar_and_button_away():
    app = asked("failed")
    assert app.error[0].value.replace("\\", "") == "There is nothing to count."
    assert keys(app) == ["count"]


def test_work_that_a_click_ended_is_said_to_be_stopped_once():
    app = asked("stopped")
    assert [one.value for one in app.info] == ["Stopped: counting cells. Nothing was saved."]
    assert not app.markdown
    app.run()
    assert not app.info


def test_unasked_work_runs_once():
    app = AppTest.from_function(page_with_unasked_work).run().run()
    assert app.markdown[0].value == "found all levels"
    assert app.session_state["runs"] == 1


def test_unasked_work_that_was_stopped_waits_until_it_is_asked_for():
    app = AppTest.from_function(page_with_unasked_work)
    app.session_state["app-held"] = ("set", "levels")  # what the Stop button leaves
    app.run()
    assert "Stopped: counting levels" in app.info[0].value
    assert not app.markdown
    app.button(key="app-start-again").click().run()
    assert app.markdown[0].value == "found all levels"
    app.run()
    assert not app.info
    assert app.session_state["runs"] == 1

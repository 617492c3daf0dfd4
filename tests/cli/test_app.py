"""The command `app`: how it serves the pages; tests/packaging opens it in a browser."""

import os
import sys

import pytest

from bloodcell.cli import app, main
from tests.places import ROOT


def test_it_runs_streamlit_on_the_app_beside_its_settings():
    assert app.make_command(8600, opens_browser=False) == [
        *(sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")),
        *("--server.port", "8600"),
    ]
    assert (ROOT / ".streamlit" / "config.toml").is_file()


def test_without_a_port_the_settings_choose():
    assert app.make_command(None, opens_browser=False)[-1] == str(ROOT / "app.py")


def test_a_browser_is_opened_without_a_question():
    command = app.make_command(None, opens_browser=True)
    assert command[-4:] == ["--server.headless", "false", "--server.showEmailPrompt", "false"]


@pytest.mark.skipif(os.name != "posix", reason="the server is a child process here")
@pytest.mark.parametrize(
    ("words", "display", "opens"), [([], ":0", True), (["--no-browser"], ":0", False), ([], "", False)]
)
def test_the_server_takes_the_place_of_the_command(monkeypatch, words, display, opens):
    calls = []
    monkeypatch.setattr(app.os, "execv", lambda path, command: calls.append((path, command)) or sys.exit(0))
    monkeypatch.setattr(app.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SystemExit):
        main.main(["app", *words])
    ((path, command),) = calls
    assert path == sys.executable
    assert ("--server.headless" in command) == opens


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_a_port_that_is_none(capsys, port):
    assert main.main(["app", "--port", port]) == 1
    assert capsys.readouterr().err == f"error: --port must be between 1 and 65535. Received: {port}.\n"

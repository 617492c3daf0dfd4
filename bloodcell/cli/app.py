"""``app``: serve the pages, from a checkout or an installed package."""

import argparse
import os
import subprocess
import sys

from bloodcell.core.errors import BloodcellError
from bloodcell.core.installation import find_file

MAX_PORT = 65535

DETAILS = (
    "It is served on this computer, for this computer alone, until Ctrl-C. Results and models are stored in the workspace: "
    "the folder BLOODCELL_HOME, by default the folder workspace."
)
EXAMPLE = "app --port 8600"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``app``."""
    parser.add_argument("--port", type=int, metavar="N", help="port of this computer (default: 8501)")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")


def run(args: argparse.Namespace) -> int:
    """Serve the app until it is stopped; on POSIX, the server takes the place of this process.

    Raises
    ------
    BloodcellError
        If the port is none, or this installation lacks app.py.
    """
    command = make_command(args.port, opens_browser=not args.no_browser and _has_screen())
    sys.stdout.flush()
    if os.name == "posix":  # so that a signal to this process reaches the server
        os.execv(command[0], command)
    try:
        return subprocess.call(command)
    except KeyboardInterrupt:
        return 0


def make_command(port: int | None, opens_browser: bool) -> list[str]:
    """Return the command that serves the app.

    Streamlit reads its settings from ``.streamlit/config.toml`` beside app.py, in a checkout and in an installed package.

    Parameters
    ----------
    port : int or None
        None takes the port of the settings.
    opens_browser : bool

    Returns
    -------
    list of str

    Raises
    ------
    BloodcellError
        If the port is not between 1 and 65535, or this installation lacks app.py.
    """
    if port is not None and not 1 <= port <= MAX_PORT:
        raise BloodcellError(f"--port must be between 1 and {MAX_PORT}. Received: {port}.")
    command = [sys.executable, "-m", "streamlit", "run", str(find_file("app.py"))]
    if port is not None:
        command += ["--server.port", str(port)]
    if opens_browser:
        command += ["--server.headless", "false", "--server.showEmailPrompt", "false"]
    return command


def _has_screen() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

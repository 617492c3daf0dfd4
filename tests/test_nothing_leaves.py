"""No process of ours looks up or calls another machine, or keeps a record of its use for somebody else."""

import os
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.browser.conftest import Server
from tests.places import ROOT

pytestmark = pytest.mark.process

# Put before everything else into a child process: notes each look-up and connection that Python makes.
LISTENER = """
import os, sys
def listen(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        host = args[1][0] if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple) else args[0]
        if isinstance(host, str) and host not in ("127.0.0.1", "localhost", "::1", ""):
            with open(os.environ["HEARD"], "a") as heard:
                heard.write(f"{event} {host}\\n")
sys.addaudithook(listen)
"""

# Every library that the app, the commands and the workers load; then a while in which a thread of one could call.
USE_ALL = """
import sys, time
from bloodcell.cli.main import main
assert main(["classify", sys.argv[1], "--model", "wbc4", "--out", sys.argv[2]]) == 0
import keras, optuna, pandas, plotly.express, sklearn, sqlalchemy, streamlit, tensorflow
time.sleep(3)
"""


def list_remote(process):
    """The other ends of a process's sockets that are not this machine; sees what libraries do without Python."""
    found = set()
    for one in [process, *process.children(recursive=True)]:
        try:
            ends = [connection.raddr for connection in one.net_connections()]
        except psutil.NoSuchProcess:
            continue
        found |= {end.ip for end in ends if end and end.ip not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")}
    return found


@pytest.fixture
def listening(tmp_path, monkeypatch):
    """Children of this test note what they call in a file, and have an empty home."""
    (tmp_path / "listener").mkdir()
    (tmp_path / "listener" / "sitecustomize.py").write_text(LISTENER)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "listener"), str(ROOT)]))
    monkeypatch.setenv("HEARD", str(tmp_path / "heard.txt"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("ORT_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def read_heard(folder):
    return (folder / "heard.txt").read_text() if (folder / "heard.txt").exists() else ""


def test_the_listener_hears(listening):
    code = "import socket\ntry: socket.getaddrinfo('example.invalid', 80)\nexcept OSError: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "example.invalid" in read_heard(listening)


def test_no_library_calls_anybody(listening):
    (listening / "field.png").write_bytes(encode_png(draw_field(1).rgb))
    env = os.environ | {"BLOODCELL_HOME": str(listening / "ws"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    args = [sys.executable, "-c", USE_ALL, str(listening / "field.png"), str(listening / "out.csv")]
    child = subprocess.Popen(args, env=env, cwd=listening)
    process, remote = psutil.Process(child.pid), set()
    while child.poll() is None:
        remote |= list_remote(process)
        time.sleep(0.005)
    assert child.returncode == 0
    assert (remote, read_heard(listening)) == (set(), "")
    records = [path for path in (listening / "home").rglob("*") if "onnxruntime" in str(path).lower()]
    assert records == []


def test_the_server_calls_nobody(listening):
    server = Server(listening / "ws")
    server.start()
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(server.url, timeout=10).close()
        process, remote = psutil.Process(server.process.pid), set()
        give_up_at = time.monotonic() + 3
        while time.monotonic() < give_up_at:
            remote |= list_remote(process)
            time.sleep(0.01)
    finally:
        server.kill()
    assert (remote, read_heard(listening)) == (set(), "")

"""The package as a user gets it: built, installed in a new environment and used in an empty folder, no checkout in reach."""

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile

import pytest

import bloodcell
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.browser.conftest import START_TIMEOUT_S, WITHOUT_PROXY, chromium  # noqa: F401  a fixture
from tests.browser.driving import WAIT_MS, settle, watch
from tests.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.process]

NEEDED_BYTES = 3 * 2**30
BUNDLED = (
    "app.py",
    "pages/classify.py",
    "models/wbc4/model.onnx",
    "specs/wbc4.json",
    ".streamlit/config.toml",
    "docs/measured/networks.json",
)


def pip(python, *args):
    """Run pip; its last words as an error where it fails."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    """An empty folder with room for an environment; without a package registry the tests skip."""
    folder = tmp_path_factory.mktemp("packaging")
    if shutil.disk_usage(folder).free < NEEDED_BYTES:
        pytest.skip("building and installing the package needs 3 GB of free disk")
    try:
        pip(
            sys.executable,
            "download",
            "-q",
            "--retries=0",
            "--timeout=15",
            "--no-deps",
            "-d",
            folder / "try",
            "hatchling",
        )
    except AssertionError as error:
        pytest.skip(f"no package registry can be reached: {str(error).strip().splitlines()[-1]}")
    yield folder
    shutil.rmtree(folder / "venv", ignore_errors=True)  # about 1 GB


@pytest.fixture(scope="module")
def wheel(work_dir):
    pip(sys.executable, "wheel", "-q", "--no-deps", "--wheel-dir", work_dir / "dist", ROOT)
    (path,) = (work_dir / "dist").glob("*.whl")
    return path


COLOURS = """() => [...document.querySelectorAll("*")].map(node => getComputedStyle(node))
    .flatMap(style => [style.color, style.backgroundColor, style.borderColor])"""


class Installed:
    """An environment with the package, and an empty folder to use it in."""

    def __init__(self, work_dir, wheel):
        self.folder = work_dir / "empty"
        self.folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", work_dir / "venv"], check=True)
        bin_dir = work_dir / "venv" / ("Scripts" if os.name == "nt" else "bin")
        pins = [
            line
            for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")
        ]
        (work_dir / "constraints.txt").write_text("\n".join(pins))
        pip(bin_dir / "python", "install", "-q", "-c", work_dir / "constraints.txt", wheel)
        self.program = bin_dir / "bloodcell"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BLOODCELL", "VIRTUAL"))
        }

    def run(self, *args):
        command = [str(self.program), *map(str, args)]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(work_dir, wheel):
    return Installed(work_dir, wheel)


@pytest.fixture(scope="module")
def image(installed):
    path = installed.folder / "field.png"
    path.write_bytes(encode_png(draw_field(seed=5, n_white=2).rgb))
    return path


def test_the_wheel_holds_what_a_checkout_has(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert [name for name in BUNDLED if f"bloodcell/bundled/{name}" not in names] == []
    assert "bloodcell/py.typed" in names
    assert "bloodcell/db/migrations/script.py.mako" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/")) or "__pycache__" in name]


def test_it_is_the_installed_package(installed):
    answer = installed.run("--version")
    assert answer.stdout == f"bloodcell {bloodcell.__version__}\n"
    where = [installed.program.with_name("python"), "-c", "import bloodcell; print(bloodcell.__file__)"]
    file = subprocess.run(where, cwd=installed.folder, env=installed.environment, capture_output=True, text=True).stdout
    assert str(ROOT) not in file
    assert "site-packages" in file


def test_the_models_come_with_it(installed):
    answer = installed.run("models")
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[0] for line in answer.stdout.splitlines()][:2] == ["NAME", "wbc4"]


def test_it_classifies_as_the_checkout_does(installed, image, tmp_path):
    answer = installed.run("classify", image.name, "--out", "x.csv", "--full")
    assert answer.returncode == 0, answer.stderr
    here = [sys.executable, "-m", "bloodcell", "classify", image, "--out", tmp_path / "here.csv", "--full"]
    subprocess.run(here, cwd=ROOT, check=True, capture_output=True)
    assert (installed.folder / "x.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    rows = list(csv.DictReader((tmp_path / "here.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 2


@pytest.mark.parametrize(
    "command",
    [
        ["train", "{specs}/wbc4.json", "--data", ".", "--out", "run"],
        ["trials", "{specs}/train-only.json", "--data", ".", "--out", "run"],
        ["kfold", "{specs}/train-only.json", "--data", ".", "--out", "run"],
        ["search", "{specs}/search-small.json", "--data", ".", "--out", "run"],
        ["train-masks", "{specs}/unet-wbc-masks.json", "--data", ".", "--out", "run"],
        ["reproduce", "cnn", "--data", ".", "--out", "runs"],
        ["explain", "wbc4", "field.png", "--method", "gradcam", "--out", "map.png"],
        ["load-model", "{specs}/../models/wbc4/model.keras", "--classes", "A,B,C,D"],
    ],
    ids=lambda command: command[0],
)
@pytest.mark.usefixtures("image")
def test_without_the_extra_a_command_that_trains_says_what_is_missing(installed, command):
    answer = installed.run(*(word.format(specs=ROOT / "specs") for word in command))
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("error: ")
    assert answer.stderr.endswith(" needs more packages: pip install 'bloodcell[train]'.\n")


@pytest.fixture
def app(installed, tmp_path):
    """`bloodcell app` with a workspace of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [installed.program, "app", "--no-browser", "--port", str(port)],
            cwd=installed.folder,
            env=installed.environment | {"BLOODCELL_HOME": str(tmp_path / "ws")},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    give_up_at = time.monotonic() + START_TIMEOUT_S
    try:
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up_at, log.read_text()
            try:
                with WITHOUT_PROXY.open(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                    break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


@pytest.mark.browser
def test_the_app_classifies_an_upload(app, chromium, image):  # noqa: F811
    page = chromium.new_page()
    seen = watch(page, type("Server", (), {"url": app}))
    page.goto(app)
    page.get_by_text(re.compile("no(t a)? medical device", re.IGNORECASE)).first.wait_for(timeout=WAIT_MS)
    page.locator("input[type=file]").first.set_input_files(str(image))
    page.locator(".tile").first.wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.locator(".tile").count() == 2
    # Streamlit has read our settings beside app.py: the theme's colour is somewhere, and not its own red.
    colours = page.evaluate(COLOURS)
    assert "rgb(122, 59, 143)" in colours
    assert "rgb(255, 75, 75)" not in colours
    assert seen == []

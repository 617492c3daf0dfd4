"""Importing a model from elsewhere in a process of its own: little memory and time, no network, no settings of ours."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bloodcell.core.errors import ModelError, RunError
from bloodcell.core.installation import CODE_DIR
from bloodcell.core.progress import Control, raise_if_stopped
from bloodcell.model_import.load_spec import ZIPPED, LoadSpec
from bloodcell.model_store.folder import MODEL_FILES
from bloodcell.model_store.library import read_model

# What lies in the folder of the process.
REQUEST_FILE: Final = "request.json"
RESPONSE_FILE: Final = "answer.json"
STEPS_FILE: Final = "steps.txt"
OUTPUT_FILE: Final = "output.txt"
MODEL_DIR: Final = "made"
NO_RESPONSE: Final = "The process that imports the model gave no valid response."
POLL_S: Final = 0.1
MAX_RESPONSE_BYTES: Final = 2**20


@dataclass(frozen=True)
class Limits:
    """What the process may use.

    Attributes
    ----------
    max_bytes : int
        Address space, default 12 GiB; TensorFlow's libraries alone map several.
    max_cpu_s : int
        Processor time, default 900.
    max_s : float
        Time by the clock, default 900.
    max_file_bytes : int
        Size of each file that it writes, default 1 GiB.
    """

    max_bytes: int = 12 * 2**30
    max_cpu_s: int = 900
    max_s: float = 900
    max_file_bytes: int = 2**30


@dataclass(frozen=True)
class SmokeTest:
    """What a model said of drawn images.

    Attributes
    ----------
    n_cells : int
        Cells that it classified.
    ms_per_cell : float
        Time of the network alone for one cell, in batches as in use.
    named : dict
        Number of cells by predicted class.
    """

    n_cells: int
    ms_per_cell: float
    named: dict[str, int]


def load_in_sandbox(
    work_dir: Path, spec: LoadSpec, control: Control, limits: Limits | None = None
) -> tuple[Path, SmokeTest]:
    """Inspect a model's file, make a model folder of it and try that, all in a limited process.

    Parameters
    ----------
    work_dir : Path
        Folder to work in, made anew.
    spec : LoadSpec
        What to import, and how.
    control : Control
        Gets each step as a line, and may stop the import.
    limits : Limits, optional
        What the process may use.

    Returns
    -------
    folder : Path
        The model folder, in `work_dir`.
    smoke_test : SmokeTest
        What the model said of drawn images.

    Raises
    ------
    ModelError
        If the file is missing or refused, or the model fails.
    RunError
        If the process uses more than it may, or ends without a reason.
    StoppedError
        If `control` stops it.
    """
    limits = limits or Limits()
    source = Path(spec.file)
    if not source.is_file():
        raise ModelError(f"The file {spec.file_name or source.name} is no longer there. Choose it again.")
    process_dir = work_dir / "limited"
    shutil.rmtree(work_dir, ignore_errors=True)
    process_dir.mkdir(parents=True)
    # Under a name that Keras knows, wherever it lay before.
    copied = process_dir / f"source.{'zip' if spec.format == ZIPPED else 'keras'}"
    shutil.copyfile(source, copied)
    request = {"file": copied.name, "spec": asdict(spec)} | asdict(limits)
    (process_dir / REQUEST_FILE).write_text(json.dumps(request), encoding="utf-8")
    response = _run_process(process_dir, limits, control)
    if "error" in response:
        raise ModelError(" ".join(str(response["error"]).split()))
    smoke_test = _read_smoke_test(response.get("made"))
    return _move_model(process_dir / MODEL_DIR, work_dir / "model"), smoke_test


def _run_process(process_dir: Path, limits: Limits, control: Control) -> dict[str, Any]:
    """Run the process and read its response."""
    started, n_logged = time.monotonic(), 0
    with (process_dir / OUTPUT_FILE).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bloodcell.model_import.sandboxed.child"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=process_dir,
            env=_make_environment(process_dir),
            start_new_session=True,
        )
    try:
        while process.poll() is None:
            n_logged = _log_new_steps(process_dir, n_logged, control)
            raise_if_stopped(control)
            if time.monotonic() - started > limits.max_s:
                raise RunError(f"Importing the model took longer than {limits.max_s} s and was stopped.")
            time.sleep(POLL_S)
    finally:
        _kill_process(process)
    _log_new_steps(process_dir, n_logged, control)
    path = process_dir / RESPONSE_FILE
    if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_RESPONSE_BYTES:
        control.log(_read_last_lines(process_dir / OUTPUT_FILE))
        raise RunError(_describe_exit(process.returncode, limits))
    try:
        response = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RunError(NO_RESPONSE) from error
    if not isinstance(response, dict):
        raise RunError(NO_RESPONSE)
    return response


def _read_smoke_test(made: object) -> SmokeTest:
    """Read what the process says of its smoke test; it is not trusted, having opened a file from elsewhere."""
    match made:
        case {"n_cells": int(n_cells), "ms_per_cell": int() | float() as ms_per_cell, "named": dict(named)}:
            return SmokeTest(n_cells, ms_per_cell, named)
    raise RunError(NO_RESPONSE)


def _make_environment(process_dir: Path) -> dict[str, str]:
    """Make an environment without database, password or home: only what Python and TensorFlow need."""
    names = ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "PYTHONPATH": str(CODE_DIR),
        "HOME": str(process_dir),
        "KERAS_HOME": str(process_dir),
        "TMPDIR": str(process_dir),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # Each thread's own heap would count as address space.
        "MALLOC_ARENA_MAX": "2",
    }


def _kill_process(process: subprocess.Popen[bytes]) -> None:
    """End the process with all that it started, unless it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _log_new_steps(process_dir: Path, n_logged: int, control: Control) -> int:
    path = process_dir / STEPS_FILE
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for line in lines[n_logged:]:
        control.log(line)
    return len(lines)


def _read_last_lines(path: Path, n: int = 20) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-n:])


def _describe_exit(returncode: int, limits: Limits) -> str:
    if returncode == -signal.SIGXCPU:
        return f"Importing the model took more than {limits.max_cpu_s} s of processor time and was stopped."
    return (
        f"Importing the model ended unexpectedly (code {returncode}), most likely for lack of memory: "
        f"{limits.max_bytes / 2**30:g} GB are allowed."
    )


def _move_model(model_dir: Path, folder: Path) -> Path:
    """Move the files of a model, and no links, out of the folder of the process."""
    folder.mkdir()
    for name in MODEL_FILES:
        path = model_dir / name
        if path.is_file() and not path.is_symlink():
            path.replace(folder / name)
    read_model(folder)
    return folder

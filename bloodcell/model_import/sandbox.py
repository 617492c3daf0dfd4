"""Loading a model from elsewhere in a process of its own: little memory, little time, no network, nothing of ours to see."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bloodcell.core.errors import ModelError, RunError
from bloodcell.core.installation import CODE_DIR
from bloodcell.core.progress import Control, raise_if_stopped
from bloodcell.model_import.load_spec import ZIPPED, LoadSpec
from bloodcell.model_import.sandbox_files import MODEL_DIR, OUTPUT_FILE, REQUEST_FILE, RESPONSE_FILE, STEPS_FILE
from bloodcell.model_store.folder import read_model
from bloodcell.model_store.model_zip import PACKED_FILES

POLL_S = 0.1
MAX_RESPONSE_BYTES = 2**20


@dataclass(frozen=True)
class Limits:
    """What the process may take.

    max_bytes : of address space; TensorFlow's libraries alone map several GB
    max_cpu_s, max_s : of processor time, and by the clock
    max_file_bytes : of any file that it writes
    """

    max_bytes: int = 12 * 2**30
    max_cpu_s: int = 900
    max_s: int = 900
    max_file_bytes: int = 2**30


def load_in_sandbox(
    work_dir: Path, spec: LoadSpec, control: Control, limits: Limits | None = None
) -> tuple[Path, dict[str, Any]]:
    """Look through a model's file, make a model folder of it and try that, all in a limited process.

    Parameters
    ----------
    work_dir : folder to work in, made anew
    control : told each step as a line; may stop it

    Returns
    -------
    folder : Path of the model folder, in `work_dir`
    trial : dict, as `model_import.sandboxed.smoke_test.SmokeTest`

    Raises
    ------
    ModelError
        If the file is missing or refused, or the model fails.
    RunError
        If the process takes more than it may, or ends without a word.
    StoppedError
    """
    limits = limits or Limits()
    source = Path(spec.file)
    if not source.is_file():
        raise ModelError(f"The file {spec.file_name or source.name} is no longer there: choose it again.")
    inside = work_dir / "limited"
    shutil.rmtree(work_dir, ignore_errors=True)
    inside.mkdir(parents=True)
    # Under a name that Keras knows, wherever it lay before.
    copied = inside / f"source.{'zip' if spec.format == ZIPPED else 'keras'}"
    shutil.copyfile(source, copied)
    request = {"file": copied.name, "spec": asdict(spec)} | asdict(limits)
    (inside / REQUEST_FILE).write_text(json.dumps(request), encoding="utf-8")
    answer = _run_process(inside, limits, control)
    if "error" in answer:
        raise ModelError(" ".join(str(answer["error"]).split()))
    return _move_model(inside / MODEL_DIR, work_dir / "model"), answer["made"]


def _run_process(inside: Path, limits: Limits, control: Control) -> dict[str, Any]:
    """Run the process, and read what it answers."""
    began, n_logged = time.monotonic(), 0
    with (inside / OUTPUT_FILE).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bloodcell.model_import.sandboxed.child"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=inside,
            env=_make_environment(inside),
            start_new_session=True,
        )
    try:
        while process.poll() is None:
            n_logged = _log_new_steps(inside, n_logged, control)
            raise_if_stopped(control)
            if time.monotonic() - began > limits.max_s:
                raise RunError(f"Loading the model took longer than {limits.max_s} s and was ended.")
            time.sleep(POLL_S)
    finally:
        _kill_process(process)
    _log_new_steps(inside, n_logged, control)
    path = inside / RESPONSE_FILE
    if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_RESPONSE_BYTES:
        control.log(_read_last_lines(inside / OUTPUT_FILE))
        raise RunError(_describe_exit(process.returncode, limits))
    answer = json.loads(path.read_text(encoding="utf-8"))
    return answer if isinstance(answer, dict) else {"error": "The process gave no answer."}


def _make_environment(inside: Path) -> dict[str, str]:
    """No address of a database, no password, no home: only what Python and TensorFlow need."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(CODE_DIR),
        "HOME": str(inside),
        "KERAS_HOME": str(inside),
        "TMPDIR": str(inside),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # Each thread's own heap would count as address space.
        "MALLOC_ARENA_MAX": "2",
    }


def _kill_process(process: subprocess.Popen) -> None:
    """End the process with all that it started; nothing where it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _log_new_steps(inside: Path, n_logged: int, control: Control) -> int:
    path = inside / STEPS_FILE
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for line in lines[n_logged:]:
        control.log(line)
    return len(lines)


def _read_last_lines(path: Path, n: int = 20) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-n:])


def _describe_exit(returncode: int, limits: Limits) -> str:
    if returncode == -signal.SIGXCPU:
        return f"Loading the model took more than {limits.max_cpu_s} s of processor time and was ended."
    return (
        f"Loading the model broke off (code {returncode}), most likely for want of memory: "
        f"{limits.max_bytes / 2**30:g} GB are allowed."
    )


def _move_model(made: Path, folder: Path) -> Path:
    """The files of a model alone, and no links, out of the folder of the process."""
    folder.mkdir()
    for name in PACKED_FILES:
        path = made / name
        if path.is_file() and not path.is_symlink():
            path.replace(folder / name)
    read_model(folder)
    return folder

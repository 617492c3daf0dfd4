"""``python -m bloodcell.model_import.sandboxed.child``: load one model, within narrow limits; started by `sandbox`.

Works in the current folder, which holds request.json. Leaves the folder `made` and answer.json; steps.txt tells what is
being done.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bloodcell.core.errors import BloodcellError
from bloodcell.model_import.sandbox_files import MODEL_DIR, REQUEST_FILE, RESPONSE_FILE, STEPS_FILE

_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
# As TensorFlow, ONNX Runtime and the loader of libraries say it.
_NO_MEMORY = ("OOM", "memory", "bad_alloc", "failed to map segment", "Failed to allocate")
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def main() -> int:
    """Do what request.json says; 0 where answer.json holds what came of it, good or bad."""
    request = json.loads(Path(REQUEST_FILE).read_text(encoding="utf-8"))
    restrict_process(request["max_bytes"], request["max_cpu_s"], request["max_file_bytes"])
    try:
        answer: dict[str, Any] = {"made": _load_model(Path(request["file"]), json.dumps(request["spec"]))}
    except BloodcellError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": _describe_memory_limit(request)}
    except Exception as error:  # noqa: BLE001 - whatever a foreign file makes a library say must come out as the reason
        first = next(iter(str(error).strip().splitlines()), "")
        is_memory = any(sign in first for sign in _NO_MEMORY)
        words = f"The network cannot be loaded: {type(error).__name__}: {first[:300]}"
        answer = {"error": _describe_memory_limit(request) if is_memory else words}
    Path(RESPONSE_FILE).write_text(json.dumps(answer), encoding="utf-8")
    return 0


def restrict_process(max_bytes: int, max_cpu_s: int, max_file_bytes: int) -> bool:
    """Take from this process what loading a model does not need.

    Memory, processor time and the size of files are limited, it dies with who started it, can win no new rights, and,
    where the system lets it, has no network.

    Returns
    -------
    bool
        Whether there is no network.
    """
    for limit, most in (
        (resource.RLIMIT_AS, max_bytes),
        (resource.RLIMIT_FSIZE, max_file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (max_cpu_s, max_cpu_s + 5))  # so that the signal says which limit it was
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    system.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Of an ordinary user's process only together with a user's space of its own.
    return any(system.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def _load_model(path: Path, spec_text: str) -> dict[str, Any]:
    from bloodcell.model_import.load_spec import ZIPPED, LoadSpec

    spec, made = LoadSpec.from_json(spec_text), Path(MODEL_DIR).resolve()
    metrics = None
    if spec.format == ZIPPED:
        from bloodcell.model_import.sandboxed.zipped_model import import_zipped_model

        import_zipped_model(path, made, _log_step)
    else:
        _log_step("Loading the training library")
        from bloodcell.model_import.sandboxed.convert import convert

        metrics = convert(path, spec, made, _log_step)
    _log_step("Trying it on drawn cells")
    from bloodcell.model_import.sandboxed.onnx_check import check_onnx
    from bloodcell.model_import.sandboxed.smoke_test import run_smoke_test
    from bloodcell.model_store.folder import NETWORK_FILE, read_description

    check_onnx(made / NETWORK_FILE)
    trial = asdict(run_smoke_test(made))
    if metrics is not None:
        from bloodcell.core.io import write_json
        from bloodcell.model_import.sandboxed.convert import write_loaded_card

        loading = trial | {"largest_difference": metrics.pop("largest_difference")}
        write_json(made / "metrics.json", metrics | {"loading": loading})
        write_loaded_card(made, read_description(made), metrics | {"loading": loading})
    return trial


def _log_step(step: str) -> None:
    with Path(STEPS_FILE).open("a", encoding="utf-8") as stream:
        stream.write(f"{step}\n")


def _describe_memory_limit(request: dict[str, Any]) -> str:
    return f"The network needs more memory than the {request['max_bytes'] / 2**30:g} GB that are allowed for loading."


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # what a foreign file has left behind in the libraries is not run down

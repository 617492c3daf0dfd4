"""``python -m bloodcell.model_import.sandboxed.child``: import one model within narrow limits; started by `sandbox`.

Works in the current folder, which holds request.json. Leaves the folder `made` and answer.json; steps.txt names each
step.
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
from bloodcell.model_import.sandbox import MODEL_DIR, REQUEST_FILE, RESPONSE_FILE, STEPS_FILE

_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
# As TensorFlow, ONNX Runtime and the loader of libraries say it.
_NO_MEMORY = ("OOM", "memory", "bad_alloc", "failed to map segment", "Failed to allocate")
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def main() -> int:
    """Do what request.json says; return 0 once answer.json holds the result or the reason why there is none."""
    request = json.loads(Path(REQUEST_FILE).read_text(encoding="utf-8"))
    restrict_process(request["max_bytes"], request["max_cpu_s"], request["max_file_bytes"])
    try:
        response: dict[str, Any] = {"made": _load_model(Path(request["file"]), json.dumps(request["spec"]))}
    except BloodcellError as error:
        response = {"error": str(error)}
    except MemoryError:
        response = {"error": _describe_memory_limit(request)}
    except Exception as error:  # noqa: BLE001 - whatever a foreign file makes a library say must come out as the reason
        reason = next(iter(str(error).strip().splitlines()), "")
        is_memory = any(sign in reason for sign in _NO_MEMORY)
        words = f"The network cannot be imported: {type(error).__name__}: {reason[:300]}"
        response = {"error": _describe_memory_limit(request) if is_memory else words}
    Path(RESPONSE_FILE).write_text(json.dumps(response), encoding="utf-8")
    return 0


def restrict_process(max_bytes: int, max_cpu_s: int, max_file_bytes: int) -> bool:
    """Take from this process what loading a model does not need.

    Its memory, processor time and the size of its files are limited, it dies with its parent, can gain no rights, and,
    where the system allows it, has no network.

    Parameters
    ----------
    max_bytes : int
        Address space.
    max_cpu_s : int
        Processor time.
    max_file_bytes : int
        Size of each file that it writes.

    Returns
    -------
    bool
        Whether the network is cut off.
    """
    for limit, maximum in (
        (resource.RLIMIT_AS, max_bytes),
        (resource.RLIMIT_FSIZE, max_file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (maximum, maximum))
    resource.setrlimit(resource.RLIMIT_CPU, (max_cpu_s, max_cpu_s + 5))  # so that the signal says which limit it was
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    system.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # An ordinary user's process may do so only together with a user namespace of its own.
    return any(system.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def _load_model(path: Path, spec_text: str) -> dict[str, Any]:
    from bloodcell.model_import.load_spec import ZIPPED, LoadSpec
    from bloodcell.model_store.folder import ModelFolder

    spec, folder = LoadSpec.from_json(spec_text), ModelFolder(Path(MODEL_DIR).resolve())
    conversion = None
    if spec.format == ZIPPED:
        from bloodcell.model_import.sandboxed.zipped_model import import_zipped_model

        import_zipped_model(path, folder.path, _log_step)
    else:
        _log_step("Loading the training library")
        from bloodcell.model_import.sandboxed.convert import convert

        conversion = convert(path, spec, folder, _log_step)
    _log_step("Trying it on drawn cells")
    from bloodcell.model_import.sandboxed.onnx_check import check_onnx
    from bloodcell.model_import.sandboxed.smoke_test import run_smoke_test

    check_onnx(folder.network_file)
    smoke_test = run_smoke_test(folder.path)
    if conversion is not None:
        from bloodcell.model_import.sandboxed.convert import write_card_and_metrics

        write_card_and_metrics(folder, conversion, smoke_test)
    return asdict(smoke_test)


def _log_step(step: str) -> None:
    with Path(STEPS_FILE).open("a", encoding="utf-8") as stream:
        stream.write(f"{step}\n")


def _describe_memory_limit(request: dict[str, Any]) -> str:
    return f"The network needs more memory than the {request['max_bytes'] / 2**30:g} GB that are allowed for an import."


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # without running what a foreign file has left behind in the libraries

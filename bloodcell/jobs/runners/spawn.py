"""Our own modules started as processes that outlive the process that starts them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from bloodcell.core.installation import CODE_DIR, IS_INSTALLED
from bloodcell.core.settings import Settings

# glibc then keeps freed memory between training steps: TensorFlow on two cores is a fifth faster.
WORKER_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": "8000000000", "MALLOC_MMAP_THRESHOLD_": "2000000000"}
_started: list[subprocess.Popen[bytes]] = []  # kept so that those that have ended are reaped


def make_environment(settings: Settings) -> dict[str, str]:
    """Return the variables from which another process of this installation reads the same settings."""
    return {
        "BLOODCELL_HOME": str(settings.home),
        "BLOODCELL_DB": settings.db_url,
        "BLOODCELL_JOBS": str(settings.jobs_at_once),
        "BLOODCELL_RUNNER": settings.runner,
    }


def spawn(settings: Settings, module_and_args: Sequence[str], output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start ``python -m MODULE ARGS`` in a session of its own; OSError where that cannot be done."""
    _started[:] = [process for process in _started if process.poll() is None]
    ray_address = {"RAY_ADDRESS": settings.ray_address} if settings.ray_address else {}
    process = subprocess.Popen(
        [sys.executable, "-m", *module_and_args],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=settings.home if IS_INSTALLED else CODE_DIR,  # a checkout is imported from where it lies
        env=WORKER_ENVIRONMENT | os.environ | make_environment(settings) | ray_address,
        start_new_session=True,
    )
    _started.append(process)
    return process

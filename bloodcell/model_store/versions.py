"""Which code made a model: versions of the packages that shape it, and the commit of Bloodcell itself."""

import functools
import importlib.metadata
import subprocess
from typing import Final

from bloodcell import __version__
from bloodcell.core.installation import CODE_DIR, IS_INSTALLED

# TensorFlow comes under one of two names, or not at all with another backend.
_PACKAGES: Final = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "onnxruntime")


def read_versions() -> dict[str, str]:
    """Return the versions of the installed packages that shape a model, by name."""
    installed = {package.metadata["Name"]: package.version for package in importlib.metadata.distributions()}
    return {name: installed[name] for name in _PACKAGES if name in installed}


@functools.cache
def read_revision() -> str:
    """Return the commit of this code; of an installed package its version; "unknown" in a checkout without git."""
    if IS_INSTALLED:  # git would name the repository around the virtual environment
        return __version__
    command = ["git", "-C", str(CODE_DIR), "rev-parse", "HEAD"]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return finished.stdout.strip() or "unknown"

"""With which code something was made: versions of the packages that shape it, and the commit of Bloodcell itself."""

import importlib.metadata as packages
import subprocess

from bloodcell import __version__
from bloodcell.core.installation import CODE_DIR, IS_INSTALLED


def versions() -> dict[str, str]:
    """Versions of what shapes a model; TensorFlow comes under one of two names, or not at all with another backend."""
    names = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "onnxruntime")
    installed = {package.metadata["Name"]: package.version for package in packages.distributions()}
    return {name: installed[name] for name in names if name in installed}


def read_revision() -> str:
    """The commit of this code; of an installed package its version; "unknown" in a checkout where there is no git."""
    if IS_INSTALLED:  # git would tell of the repository around the virtual environment
        return __version__
    command = ["git", "-C", str(CODE_DIR), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"

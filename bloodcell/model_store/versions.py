"""With which code something was made: versions of the packages that shape it, and the commit of Bloodcell itself."""

import importlib.metadata as packages
import subprocess

from bloodcell.core.settings import PROJECT_DIR


def versions() -> dict[str, str]:
    """Versions of what shapes a model; TensorFlow comes under one of two names, or not at all with another backend."""
    names = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "onnxruntime")
    installed = {package.metadata["Name"]: package.version for package in packages.distributions()}
    return {name: installed[name] for name in names if name in installed}


def revision() -> str:
    """The commit of this code; "unknown" outside a checkout and where there is no git."""
    command = ["git", "-C", str(PROJECT_DIR), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"

"""What this installation has: the files that come with Bloodcell, and the packages that training needs."""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from bloodcell.core.errors import BloodcellError

_PACKAGE = Path(str(files("bloodcell")))
# What the wheel carries in place of a checkout's top level; pyproject.toml says which files.
_BUNDLED = _PACKAGE / "bundled"
IS_INSTALLED = _BUNDLED.is_dir()
# From here the package can be imported, and `git` knows its revision.
CODE_DIR = _PACKAGE.parent
# app.py, pages/, models/ and specs/ lie here, in a checkout and in an installation alike.
FILES_DIR = _BUNDLED if IS_INSTALLED else CODE_DIR
# What `pip install bloodcell` leaves out and `pip install 'bloodcell[train]'` brings.
TRAINING_PACKAGES = ("tensorflow", "keras", "onnx", "tf2onnx", "optuna")


def find_file(name: str) -> Path:
    """Return the path of a file or folder that comes with Bloodcell.

    Parameters
    ----------
    name : str
        Path from the top level of a checkout, such as ``"models"`` or ``"specs/wbc4.json"``.

    Returns
    -------
    Path
        Where it lies here, in a checkout or in an installed package.

    Raises
    ------
    BloodcellError
        If this installation lacks it.

    Examples
    --------
    >>> find_file("specs/wbc4.json").name
    'wbc4.json'
    """
    path = FILES_DIR / name
    if not path.exists():
        raise BloodcellError(f"This installation of Bloodcell lacks {name}: install it again.")
    return path


def require_training(work: str = "Training") -> None:
    """Raise an error in one plain sentence unless the packages of the extra ``train`` are installed; imports none.

    Parameters
    ----------
    work : str, default "Training"
        What needs them, as the sentence begins: ``"Adapting a model"``.

    Raises
    ------
    BloodcellError
        If one of `TRAINING_PACKAGES` is not installed.
    """
    if any(find_spec(package) is None for package in TRAINING_PACKAGES):
        raise BloodcellError(f"{work} needs more packages: pip install 'bloodcell[train]'.")

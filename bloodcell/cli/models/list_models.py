"""``models``: the models in the model library."""

import argparse

from bloodcell.cli.shared.output import print_info, print_table
from bloodcell.core.settings import load_settings
from bloodcell.model_store.library import list_models

DETAILS = "Each line gives the name, the classes, the start of the SHA-256 of its network, the title and the folder."
EXAMPLE = "models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``models``: none."""


def run(_args: argparse.Namespace) -> int:
    """Print one line per model: name, classes, the start of the SHA-256 of its model.onnx, title and folder."""
    settings = load_settings()
    models = list_models(settings)
    if not models:
        print_info(f"There is no model yet, neither in {settings.shipped_models_dir} nor in {settings.runs_dir}.")
        return 0
    print_table(
        ("NAME", "CLASSES", "SHA256", "TITLE", "FOLDER"),
        [
            (model.name, ",".join(model.class_names), model.sha256[:12], model.title, str(model.folder))
            for model in models
        ],
    )
    return 0

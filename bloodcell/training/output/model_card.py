"""Write the model card of a trained model: what it is for and not for, its figures, its data."""

from pathlib import Path
from typing import Any

from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.io_spec import CELL, MASK_NONE, read_io_spec
from bloodcell.networks.settings import FROM_SCRATCH

LICENCES = {
    "kaggle-wbc TRAIN": "MIT (Kaggle blood-cells by P. Mooney, from BCCD)",
    "pbc": "CC BY 4.0 (Acevedo et al. 2020, Hospital Clinic Barcelona, doi:10.17632/snkd93bnjr.1)",
    "malaria": "public domain (Rajaraman et al. 2018, National Library of Medicine, doi:10.7717/peerj.4568)",
    "wbc-masks": "GPL-3.0 (Zheng et al. 2018, doi:10.1016/j.micron.2018.01.010)",
}


def write_model_card(run_dir: Path, description: dict[str, Any], metrics: dict[str, Any]) -> None:
    """Write README.md of a model folder.

    Parameters
    ----------
    run_dir : the model folder
    description : contents of spec.json
    metrics : contents of metrics.json: "validation", and "tests", name of a test set -> its figures
    """
    training, names = description["training"], description["class_names"]
    lines = [
        f"# {description['title']}",
        "",
        f"Classes, in order: {', '.join(names)}. Network `{training['model']}` with {metrics['parameters']:,} parameters,"
        f" {_describe_input(description)}, trained {_describe_start(description)} in {metrics['seconds'] / 60:.0f} minutes (seed"
        f" {training['seed']}).",
        "",
        "## What it must not be used for",
        "",
        "It is **no medical device**. It must not decide anything about a patient; a person looks at every cell. It knows"
        f" {len(names)} classes only: any other kind of cell, a malignant one too, is not among its answers; some of them it"
        " marks as unfamiliar, others it will name wrongly. Under another stain, lamp or microscope than those it learned"
        " from, expect it to be much worse until it was measured there.",
        "",
        "## Figures",
        "",
    ]
    lines += _format_tests(metrics.get("tests", {}))
    if metrics.get("validation"):
        lines += _format_validation(metrics["validation"])
    lines += ["", "## Data it learned from", ""]
    lines += ["| source | licence | source cells | " + " | ".join(names) + " | other cells |"]
    lines += ["|---|---|---|" + "---|" * (len(names) + 1)]
    for name, counts in description["data"].items():
        row = [name, LICENCES.get(name, "not stated"), counts["cells"], *[counts[c] for c in names], counts["unknown"]]
        lines.append(_format_row(row))
    lines += _describe_limits(description)
    if training.get("unknown_share"):
        lines += [
            "",
            "Crops of other cells, where the data have them, and of drawn things taught it what is unfamiliar.",
        ]
    ModelFolder(run_dir).write_card("\n".join(lines) + "\n")


def _describe_input(description: dict[str, Any]) -> str:
    io_spec = read_io_spec(description, str(description["name"]))
    kind = "crops of cells" if io_spec.input == CELL else "whole pictures"
    hidden = "" if io_spec.mask == MASK_NONE else f", background hidden by {io_spec.mask}"
    return f"{kind} of {io_spec.height_px}x{io_spec.width_px} px{hidden}"


def _describe_start(description: dict[str, Any]) -> str:
    if description.get("adapted_from"):
        return f"on from the model {description['adapted_from']}"
    weights = description["training"].get("weights", FROM_SCRATCH)
    return "from scratch" if weights == FROM_SCRATCH else f"from the weights {weights!r}"


def _describe_limits(description: dict[str, Any]) -> list[str]:
    """A sentence where a class was made rare: the table counts what the sources hold."""
    limited = {name for source in description["training"]["sources"] for name, _ in source.get("limits", ())}
    trained_on = description.get("learned_from", {})
    parts = [
        f"{trained_on[name]['images']} images of {trained_on[name]['source_cells']} source cells of {name}"
        for name in description["class_names"]
        if name in limited and name in trained_on
    ]
    return ["", f"Of these it learned from only {' and '.join(parts)}."] if parts else []


def _format_row(values: list[Any]) -> str:
    return "| " + " | ".join("none" if value is None else str(value) for value in values) + " |"


def _format_tests(tests: dict[str, Any]) -> list[str]:
    """Test sets that were never learned from; intervals over source cells."""
    if not tests:
        return ["It was not measured on a test set.", ""]
    lines = [
        "On images it never learned from; in brackets the 95 % interval over source cells (copies of one cell count once).",
        "",
        _format_row(
            ["test set", "images", "source cells", "accuracy", "balanced accuracy", "confident and right", "held back"]
        ),
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in tests.items():
        accuracy = f"{one['accuracy']} {one['interval']}"
        balanced = f"{one['balanced_accuracy']} {one['balanced_interval']}"
        counts = [one["images"], one["source_cells"]]
        lines.append(_format_row([name, *counts, accuracy, balanced, one["confident_right"], one["held_back"]]))
    for name, one in tests.items():
        recalls = ", ".join(f"{label} {part['recall']} {part['interval']}" for label, part in one["recall"].items())
        lines += ["", f"Recall on {name}: {recalls}."]
    return [*lines, ""]


def _format_leak_warning(sources: list[str]) -> list[str]:
    """A warning where copies of one cell were learned from and asked for."""
    if not sources:
        return []
    names = ", ".join(sources)
    return [f"**Leaky:** the split of {names} has copies of one cell on both sides. These figures are too good.", ""]


def _format_validation(metrics: dict[str, Any]) -> list[str]:
    """The cells that temperature and thresholds were set on: a little too kind a figure, and said so."""
    lines = [
        f"On its validation cells ({metrics['protocol']}; thresholds were set here):",
        "",
        *_format_leak_warning(metrics.get("leaky", [])),
        _format_row(["source", "images", "accuracy", "confident and right", "held back"]),
        "|---|---|---|---|---|",
    ]
    for name, part in metrics["per_source"].items():
        lines.append(_format_row([name, part["images"], part["accuracy"], part["confident_right"], part["held_back"]]))
    return lines

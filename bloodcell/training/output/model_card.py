"""Write the model card of a trained model: what it is not for, its metrics, its data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.io_spec import CELL, MASK_NONE, read_io_spec
from bloodcell.networks.settings import FROM_SCRATCH

# Headers of the accuracy of the confident cells, and of the share of cells that are not confident.
CONFIDENT_HEADER, FLAGGED_HEADER = "accuracy of confident cells", "flagged for review"
LICENCES = {
    "kaggle-wbc TRAIN": "MIT (Kaggle blood-cells by P. Mooney, from BCCD)",
    "pbc": "CC BY 4.0 (Acevedo et al. 2020, Hospital Clinic Barcelona, doi:10.17632/snkd93bnjr.1)",
    "malaria": "public domain (Rajaraman et al. 2018, National Library of Medicine, doi:10.7717/peerj.4568)",
    "wbc-masks": "GPL-3.0 (Zheng et al. 2018, doi:10.1016/j.micron.2018.01.010)",
}


def write_model_card(model_dir: Path, description: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Write README.md of a model folder.

    Parameters
    ----------
    model_dir : Path
        The model folder.
    description : mapping
        Contents of spec.json.
    metrics : mapping
        Contents of metrics.json: "validation", and "tests", name of a test set -> its metrics.
    """
    training, names = description["training"], description["class_names"]
    minutes = f"{metrics['seconds'] / 60:.0f} minutes"
    lines = [
        f"# {description['title']}",
        "",
        f"Classes, in order: {', '.join(names)}. Network `{training['model']}` with {metrics['parameters']:,} parameters,"
        f" {_describe_input(description)}, trained {_describe_start(description)} in {minutes} (seed {training['seed']}).",
        "",
        "## What it must not be used for",
        "",
        "It is **not a medical device**. It must not decide anything about a patient; a person must review every cell. It"
        f" has {len(names)} classes only and cannot name any other kind of cell, malignant cells included: it marks some of"
        " them as unfamiliar and names others wrongly. Under a stain, lamp or microscope other than those it was trained"
        " on, expect it to be much worse until it has been measured there.",
        "",
        "## Performance",
        "",
    ]
    lines += _format_tests(metrics.get("tests", {}))
    if metrics.get("validation"):
        lines += _format_validation(metrics["validation"])
    lines += ["", "## Training data", ""]
    lines += ["| source | licence | source cells | " + " | ".join(names) + " | other cells |"]
    lines += ["|---|---|---|" + "---|" * (len(names) + 1)]
    for name, counts in description["data"].items():
        row = [name, LICENCES.get(name, "not stated"), counts["cells"], *[counts[c] for c in names], counts["unknown"]]
        lines.append(_format_row(row))
    lines += _describe_limits(description)
    if training.get("unknown_share"):
        lines += [
            "",
            "It was also trained on crops of other cells, where the data have them, and of drawn objects, to recognise"
            " what is unfamiliar.",
        ]
    ModelFolder(model_dir).write_card("\n".join(lines) + "\n")


def _describe_input(description: Mapping[str, Any]) -> str:
    io_spec = read_io_spec(dict(description), str(description["name"]))
    kind = "crops of cells" if io_spec.input == CELL else "whole images"
    hidden = "" if io_spec.mask == MASK_NONE else f", background hidden by {io_spec.mask}"
    return f"{kind} of {io_spec.height_px}x{io_spec.width_px} px{hidden}"


def _describe_start(description: Mapping[str, Any]) -> str:
    if description.get("adapted_from"):
        return f"on from the model {description['adapted_from']}"
    weights = description["training"].get("weights", FROM_SCRATCH)
    return "from scratch" if weights == FROM_SCRATCH else f"from the weights {weights!r}"


def _describe_limits(description: Mapping[str, Any]) -> list[str]:
    """Describe the classes that were limited: the table counts what the sources have."""
    limited = {name for source in description["training"]["sources"] for name, _ in source.get("limits", ())}
    trained_on = description.get("learned_from", {})
    parts = [
        f"{trained_on[name]['images']} images of {trained_on[name]['source_cells']} source cells of {name}"
        for name in description["class_names"]
        if name in limited and name in trained_on
    ]
    return ["", f"Of these it was trained on only {' and '.join(parts)}."] if parts else []


def _format_row(values: Sequence[Any]) -> str:
    return "| " + " | ".join("none" if value is None else str(value) for value in values) + " |"


def _format_tests(tests: Mapping[str, Any]) -> list[str]:
    """Format the metrics of test sets, which are never trained on; intervals over source cells."""
    if not tests:
        return ["It has not been measured on a test set.", ""]
    lines = [
        "On images it was not trained on; in brackets the 95 % interval over source cells (copies of one cell count once).",
        "",
        _format_row(
            ["test set", "images", "source cells", "accuracy", "balanced accuracy", CONFIDENT_HEADER, FLAGGED_HEADER]
        ),
        "|---|---|---|---|---|---|---|",
    ]
    for name, test in tests.items():
        accuracy = f"{test['accuracy']} {test['interval']}"
        balanced = f"{test['balanced_accuracy']} {test['balanced_interval']}"
        counts = [test["images"], test["source_cells"]]
        lines.append(_format_row([name, *counts, accuracy, balanced, test["confident_right"], test["held_back"]]))
    for name, test in tests.items():
        recalls = ", ".join(f"{label} {part['recall']} {part['interval']}" for label, part in test["recall"].items())
        lines += ["", f"Recall on {name}: {recalls}."]
    return [*lines, ""]


def _format_leak_warning(sources: Sequence[str]) -> list[str]:
    """Warn where copies of one cell were trained on and measured on."""
    if not sources:
        return []
    names = ", ".join(sources)
    return [f"**Leaky:** the split of {names} has copies of one cell on both sides, so these metrics are too good.", ""]


def _format_validation(metrics: Mapping[str, Any]) -> list[str]:
    """Format the metrics on the cells that temperature and thresholds were set on, which are a little too good."""
    lines = [
        f"On its validation cells ({metrics['protocol']}; the thresholds were set on them):",
        "",
        *_format_leak_warning(metrics.get("leaky", [])),
        _format_row(["source", "images", "accuracy", CONFIDENT_HEADER, FLAGGED_HEADER]),
        "|---|---|---|---|---|",
    ]
    for name, part in metrics["per_source"].items():
        lines.append(_format_row([name, part["images"], part["accuracy"], part["confident_right"], part["held_back"]]))
    return lines

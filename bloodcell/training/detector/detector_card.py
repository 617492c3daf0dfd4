"""Write the card of a trained detector: what it is for and not for, its metrics, its data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bloodcell.model_store.folder import ModelFolder
from bloodcell.training.specs.detector_spec import DetectorSpec

_TITLES = {"WBC": "white cells", "RBC": "red cells", "PLATELET": "platelets"}


def write_detector_card(
    folder: Path, spec: DetectorSpec, thresholds: Mapping[str, float], metrics: Mapping[str, Any]
) -> None:
    """Write README.md of the folder of a detector.

    Parameters
    ----------
    folder : Path
        The folder; it must exist.
    spec : DetectorSpec
    thresholds : mapping of str to float
        By class.
    metrics : mapping
        Contents of metrics.json.
    """
    held_out = metrics["held_out"]
    start = "ImageNet weights of EfficientNet-Lite0 (Google, Apache-2.0)" if spec.weights == "imagenet" else "scratch"
    lines = [
        f"# {spec.title or spec.name}",
        "",
        f"Finds white cells, red cells and platelets in fields of stained blood smears: {metrics['parameters']:,} parameters,"
        f" trained from {start} in {metrics['seconds'] / 60:.0f} minutes (seed {spec.seed}). It sees an image at the scale at"
        f" which red cells have {spec.red_cell_px} px, so the scale of the image must be known or measured.",
        "",
        "It names no kind of white cell; a classifier does. It is not a medical device.",
        "",
        "## Performance",
        "",
        f"On {held_out['fields']} held-out fields of the sources below, on which the thresholds were chosen too: for"
        " comparing runs, not a test. mAP50"
        f" {held_out['map50']} [{held_out['map50_interval'][0]}, {held_out['map50_interval'][1]}] (95 % interval over"
        f" fields), mAP50-95 {held_out['map50_95']}. Tests on fields that took no part: docs/results.md.",
        "",
        "| cells | labelled | found | AP50 | centres found | false a field | threshold |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, values in held_out["by_class"].items():
        lines.append(
            f"| {_TITLES[name]} | {values['true']} | {values['found']} | {values['ap50']} |"
            f" {values['centre_recall']} {values['centre_recall_interval']} | {values['false_per_field']} |"
            f" {thresholds[name]} |"
        )
    lines += ["", "## Data", "", "| source | fields trained on | licence |", "|---|---|---|"]
    for source in spec.box_sources:
        lines.append(f"| {source.name} | {metrics['trained_on'][source.name]} | {source.licence} |")
    lines += [
        "",
        "## Limits",
        "",
        "- Trained on two microscopes' stains and varied beyond them; a stain or a specimen unlike these (bone marrow, tissue)"
        " may be missed or boxed wrongly.",
        "- Where red cells lie in clumps or are out of focus, counts are too low.",
    ]
    ModelFolder(folder).write_card("\n".join(lines) + "\n")

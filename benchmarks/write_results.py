"""Write docs/results.md, and the table in the README, from what the measuring scripts left in docs/measured/."""

import json
from typing import Any

from dataset_results import (
    render_copies,
    render_datasets,
    render_evaluate_page,
    render_imbalance,
    render_leaky_split,
    render_reproduction,
    render_scaling,
    render_segmentation,
    render_training_memory,
    render_unet,
)
from detector_results import render_detector, render_large
from measurements import PROJECT, RESULTS_DIR
from model_results import render_out_of_laboratory, render_shipped, render_stain_augmentation
from result_tables import format_verdict, format_with_interval, percent, table

HEAD = """# Results

Every number here was produced by a script of this repository (named in each section) and is written into this file by
`benchmarks/write_results.py` from `docs/measured/`. Intervals are 95 % cluster bootstrap intervals over source cells
(2,000 draws, classes kept): copies of one cell count as one cell. Speeds are in
[benchmarks.md](benchmarks.md).
"""


def render_finder(measured: dict[str, Any]) -> list[str]:
    bccd, txl = measured["bccd all"], measured["txl all"]
    train, masks = measured["kaggle-wbc TRAIN"], measured["wbc-masks"]
    bars = [
        ["bccd: WBC boxes that contain the centre of a found box", ">= 99 %", bccd["centre_held"], 0.99, 1],
        ["bccd: WBC boxes met with IoU >= 0.5", ">= 95 %", bccd["iou_50"], 0.95, 1],
        ["bccd: false boxes per field", "<= 0.03", bccd["false_per_field"], 0.03, -1],
        ["txl: WBC boxes that contain the centre of a found box", ">= 97 %", txl["centre_held"], 0.97, 1],
        ["txl: false boxes per field", "<= 0.05", txl["false_per_field"], 0.05, -1],
        ["kaggle-wbc TRAIN: exactly one cell", ">= 98.5 %", train["exactly_one"], 0.985, 1],
        ["wbc-masks: exactly one cell", ">= 98 %", masks["exactly_one"], 0.98, 1],
    ]
    rows = []
    for what, bar, value, limit, sign in bars:
        shown = percent(value, 2) if sign > 0 else f"{value:.3f}"
        rows.append([what, bar, shown, format_verdict(sign * value >= sign * limit)])
    lines = [
        "## White cells found by the threshold finder alone",
        "",
        "`benchmarks/measure_finder.py`. The finder's constants were chosen on bccd trainval, txl train, wbc-masks, a"
        " fifteenth of kaggle-wbc TRAIN and 200 pbc images; bccd test and txl val were never tuned on. After a first look"
        " at the result on txl val two rules (crowds of red cells, strongly stained cells at the border) were added, chosen on"
        " txl train alone. The time per field is in benchmarks.md.",
        "",
    ]
    lines += table(["metric", "bar", "measured", ""], rows)
    splits = [
        [
            name,
            str(part["fields"]),
            str(part["boxes"]),
            percent(part["centre_held"], 2),
            percent(part["iou_50"], 2),
            f"{part['false_per_field']:.3f}",
        ]
        for name, part in measured.items()
        if isinstance(part, dict) and "fields" in part
    ]
    lines += table(["fields", "n", "WBC boxes", "centre found", "IoU >= 0.5", "false boxes per field"], splits)
    return lines


def render_classifier(measured: dict[str, Any]) -> list[str]:
    lines = [
        "## Classified: kaggle-wbc TEST (2,487 images made from 71 photographs)",
        "",
        "`benchmarks/measure_classifier.py`. Trained from scratch by `python -m bloodcell train`; TEST was never trained or"
        " tuned on. One monocyte of TEST is 155 images, 6 % of it, so a single cell moves the accuracy by 6 points: read"
        " the interval. Copies are found from the pixels: 68 source cells, as three cells were photographed twice.",
        "",
    ]
    rows = []
    for number, one in enumerate(measured["alone_test"]):
        rows.append(_format_test_row(f"TRAIN alone, seed {number}", one))
    rows.append(_format_test_row("**shipped wbc4**", measured["shipped_test"]))
    head = [
        "model",
        "image accuracy",
        "balanced",
        "per-cell vote",
        "accuracy where confident",
        "flagged for review",
        "ECE",
    ]
    lines += table(head, rows)
    shipped = measured["shipped_test"]
    bars = []
    mean = measured.get("alone_mean_accuracy")
    if mean is not None:
        shown = f"{mean:.3f} (sd {measured['alone_sd_accuracy']:.3f})"
        bars.append(["TRAIN alone, mean of 3 seeds", ">= 0.90", shown, format_verdict(mean >= 0.90)])
        bars.append(
            ["shipped, aim", ">= 0.93", f"{shipped['accuracy']:.3f}", format_verdict(shipped["accuracy"] >= 0.93)],
        )
        bars.append(
            [
                "shipped, never below TRAIN alone",
                f">= {mean:.3f}",
                f"{shipped['accuracy']:.3f}",
                format_verdict(shipped["accuracy"] >= mean),
            ]
        )
    right = shipped["confident_right"]
    bars.append(
        ["shipped, accuracy of confident cells", ">= 97 %", percent(right), format_verdict((right or 0) >= 0.97)]
    )
    bars.append(
        [
            "shipped, flagged for review",
            "<= 15 %",
            percent(shipped["held_back"]),
            format_verdict(shipped["held_back"] <= 0.15),
        ]
    )
    lines += table(["bar", "asked", "measured", ""], bars)
    names = list(shipped["recall"])
    lines += ["Shipped wbc4 on TEST, rows true, columns predicted:", ""]
    confusion = [
        [
            name,
            *[str(count) for count in counts],
            format_with_interval(part["recall"], part["interval"]),
            str(part["source_cells"]),
        ]
        for (name, part), counts in zip(shipped["recall"].items(), shipped["confusion"], strict=True)
    ]
    lines += table(["", *names, "no prediction", "recall", "source cells"], confusion)
    lines += [
        f"The same accuracy with the plain image-level interval, as if copies were cells: {shipped['accuracy']:.3f}"
        f" [{shipped['plain_interval'][0]:.3f}, {shipped['plain_interval'][1]:.3f}]. It is too narrow to be believed.",
        "",
        *_write_validation(
            json.loads((PROJECT / "models" / "wbc4" / "metrics.json").read_text(encoding="utf-8"))["validation"]
        ),
        "## A laboratory that no model has seen: wbc-masks (299 cells of the four classes)",
        "",
    ]
    rows = [_format_masks_row(f"TRAIN alone, seed {number}", one) for number, one in enumerate(measured["alone_masks"])]
    rows.append(_format_masks_row("**shipped wbc4** (TRAIN and pbc)", measured["shipped_masks"]))
    head = [
        "model",
        "accuracy",
        "balanced",
        "accuracy where confident",
        "flagged for review",
        "errors not confident (>= half)",
    ]
    return lines + table(head, rows)


def _format_test_row(name: str, one: dict[str, Any]) -> list[str]:
    return [
        name,
        format_with_interval(one["accuracy"], one["interval"]),
        format_with_interval(one["balanced_accuracy"], one["balanced_interval"]),
        format_with_interval(one["vote_accuracy"], one["vote_interval"]),
        percent(one["confident_right"]),
        percent(one["held_back"]),
        f"{one['ece']:.3f}",
    ]


def _write_validation(measured: dict[str, Any]) -> list[str]:
    """Render what the settings and thresholds were chosen on."""
    rows = [
        [
            name,
            str(part["images"]),
            f"{part['accuracy']:.3f}",
            percent(part["confident_right"]),
            percent(part["held_back"]),
        ]
        for name, part in measured["per_source"].items()
    ]
    return [
        f"wbc4 on its training data, {measured['protocol']}; its thresholds were set on these predictions:",
        "",
        *table(["source", "images", "accuracy", "accuracy where confident", "flagged for review"], rows),
    ]


def _format_masks_row(name: str, one: dict[str, Any]) -> list[str]:
    return [
        name,
        format_with_interval(one["accuracy"], one["interval"]),
        format_with_interval(one["balanced_accuracy"], one["balanced_interval"]),
        percent(one["confident_right"]),
        percent(one["held_back"]),
        f"{percent(one['wrong_not_confident'])}, {format_verdict((one['wrong_not_confident'] or 0) >= 0.5)}",
    ]


def render_status(measured: dict[str, Any]) -> list[str]:
    total = measured["total"]
    none = total["with_a_confident_cell"]
    lines = [
        "## Images without a white cell: none of them may give a confident cell",
        "",
        "`benchmarks/measure_status.py`. No model was trained on any of these images. Bar: 0 of >= 200.",
        "",
        f"**{none} of {total['pictures']}** images have a confident cell: {format_verdict(none == 0)}.",
        "",
    ]
    rows = [
        [one["kind"], str(one["pictures"]), str(one["with_a_box"]), str(one["with_a_confident_cell"])]
        for one in measured["kinds"]
    ]
    return lines + table(["kind", "images", "with a box", "with a confident cell"], rows)


def render_house(measured: dict[str, Any]) -> list[str]:
    """Render the sizes of the house before and after, with the bars that tests guard."""
    before, now = measured["before"], measured["now"]
    rows = [
        ["modules", str(before["modules"]), str(now["modules"]), ""],
        [
            "mean lines of a module (> 111)",
            str(before["mean_lines"]),
            str(now["mean_lines"]),
            format_verdict(now["mean_lines"] > 111),
        ],
        ["longest module (<= 350)", str(before["longest"]), str(now["longest"]), format_verdict(now["longest"] <= 350)],
        ["modules under 40 lines", str(before["under_40_lines"]), str(now["under_40_lines"]), ""],
        [
            "exceptions in the Keras rule (0)",
            str(before["keras_exceptions"]),
            str(now["keras_exceptions"]),
            format_verdict(now["keras_exceptions"] == 0),
        ],
    ]
    folders = ", ".join(f"`{folder}`" for folder in now["keras_folders"])
    return [
        "## The house",
        "",
        "`benchmarks/measure_house.py`; `tests/test_architecture.py` and `tests/test_words.py` guard it: no circle, no"
        f" exception, no retired word in what people read. Keras and TensorFlow are imported in {folders} alone.",
        "",
        *table(["what (bar)", "before (908a6fc)", "now", ""], rows),
    ]


def render_same_answers(measured: dict[str, Any]) -> list[str]:
    """Render the comparison of today's rows and metrics with those of before."""
    return [
        "## The same answers as before the re-house",
        "",
        f"`benchmarks/measure_same_answers.py --check`, against {measured['before'][:7]}: {measured['compared']}, on bccd's 364"
        " fields, TEST_SIMPLE, wbc-masks and a sample of malaria, with all shipped models. Differences:"
        f" {measured['differences']} ({format_verdict(measured['differences'] == 0)}). Since then the detector has joined the"
        " finder, which changes boxes, and so rows, on purpose.",
        "",
    ]


def render_results() -> str:
    """Render the whole of docs/results.md."""
    lines = [HEAD]

    sections = (
        ("detector", render_detector),
        ("large", render_large),
        ("finder", render_finder),
        ("classifier", render_classifier),
        ("stain_variation", render_stain_augmentation),
        ("out_of_laboratory", render_out_of_laboratory),
        ("shipped", render_shipped),
        ("status", render_status),
        ("datasets", render_datasets),
        ("copies", render_copies),
        ("segmentation", render_segmentation),
        ("unet", render_unet),
        ("imbalance", render_imbalance),
        ("leaky_split", render_leaky_split),
        ("reproduction", render_reproduction),
        ("scaling", render_scaling),
        ("training_memory", render_training_memory),
        ("evaluate_page", render_evaluate_page),
        ("same_answers", render_same_answers),
        ("house", render_house),
    )
    for name, section in sections:
        path = RESULTS_DIR / f"{name}.json"
        if path.exists():
            lines += section(json.loads(path.read_text(encoding="utf-8")))
    for path in sorted((PROJECT / "docs" / "measured").glob("*.md")):
        lines.append(path.read_text(encoding="utf-8"))
    return "\n".join(lines).rstrip() + "\n"


def render_readme(text: str) -> str:
    """Render the README `text` with the few metrics that a visitor wants between its two marks."""
    measured = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in RESULTS_DIR.glob("*.json")}
    test, masks = measured["classifier"]["shipped_test"], measured["classifier"]["shipped_masks"]
    other = measured["out_of_laboratory"]["wbc-masks"]["unseen"]
    bccd, render_status = measured["finder"]["bccd all"], measured["status"]["total"]
    rows = [
        [
            "White cells found, bccd (364 fields)",
            f"{percent(bccd['centre_held'])}; {bccd['false_per_field']} false per field",
        ],
        [
            "Accuracy, kaggle-wbc TEST (71 cells, never trained on)",
            format_with_interval(test["accuracy"], test["interval"]),
        ],
        [
            "Balanced accuracy there",
            format_with_interval(test["balanced_accuracy"], test["balanced_interval"]),
        ],
        ["Accuracy of its *confident* cells", percent(test["confident_right"])],
        ["Flagged for review", percent(test["held_back"])],
        [
            "Accuracy in a laboratory it has not seen (wbc-masks)",
            format_with_interval(masks["accuracy"], masks["interval"]),
        ],
        ["Share of its errors there that are not marked confident", percent(masks["wrong_not_confident"])],
        ["Accuracy there, wbc4-other-stains", format_with_interval(other["accuracy"], other["interval"])],
        [
            "Confident cells in images without a white cell",
            f"{render_status['with_a_confident_cell']} of {render_status['pictures']}",
        ],
    ]
    metrics = "\n".join(table(["Metric of wbc4", "Measured, 95 % interval over source cells"], rows))
    before, _, rest = text.partition("<!-- results -->\n")
    _, _, after = rest.partition("<!-- /results -->")
    links = "All results, missed bars included, and how they were measured: [docs/results.md](docs/results.md).\n"
    links += "Speed and memory: [docs/benchmarks.md](docs/benchmarks.md).\n"
    return f"{before}<!-- results -->\n{metrics}\n{links}<!-- /results -->{after}"


def main() -> None:
    (PROJECT / "docs" / "results.md").write_text(render_results(), encoding="utf-8")
    readme = PROJECT / "README.md"
    readme.write_text(render_readme(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

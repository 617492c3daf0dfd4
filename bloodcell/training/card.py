"""Write the model card of a trained model: figures, data, limits."""

from pathlib import Path


def write_card(run_dir: Path, description: dict, metrics: dict) -> None:
    """Write README.md of a model folder from its spec.json and metrics.json contents."""
    figures = metrics.get("validation")
    training = description["training"]
    lines = [
        f"# {description['title']}",
        "",
        f"Classes, in order: {', '.join(description['class_names'])}. Network `{training['model']}`, "
        f"{metrics['parameters']:,} parameters, crops of {description['side_px']} px; trained from scratch in "
        f"{metrics['seconds'] / 60:.0f} minutes (seed {training['seed']}).",
        "",
        "**Not a medical device.** For research and teaching; a person looks at every cell before anything "
        "is decided from it.",
        "",
        "## Data it learned from",
        "",
        "| source | source cells | " + " | ".join(description["class_names"]) + " | other cells |",
        "|---|---|" + "---|" * (len(description["class_names"]) + 1),
    ]
    for name, counts in description["data"].items():
        row = [name, counts["cells"], *[counts[c] for c in description["class_names"]], counts["unknown"]]
        lines.append("| " + " | ".join(str(value) for value in row) + " |")
    if figures:
        lines += [
            "",
            "## On its validation fold (cells it did not learn from; thresholds and temperature were set here)",
            "",
            "| source | images | right | confident and right | held back |",
            "|---|---|---|---|---|",
        ]
        for name, part in figures["per_source"].items():
            row = [name, part["images"], part["accuracy"], part["confident_right"], part["held_back"]]
            lines.append("| " + " | ".join(str(value) for value in row) + " |")
    (run_dir / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")

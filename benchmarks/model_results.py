"""The sections of docs/results.md on shipped models other than wbc4, and on laboratories that a model has not seen."""

from typing import Any

from result_tables import format_verdict, format_with_interval, percent, table

MODEL_TITLES = {
    "wbc8": "wbc8: pbc's eight classes, 15 % held out, stratified, copies together",
    "malaria": "malaria: infected or not, 5 folds by patient, 50 px",
    "wbc4-other-stains": "wbc4-other-stains: kaggle-wbc TEST",
}


def render_shipped(measured: dict[str, Any]) -> list[str]:
    lines = [
        "## The shipped wbc8, malaria and wbc4-other-stains",
        "",
        "`benchmarks/measure_shipped.py`. Trained by `python -m bloodcell train` with specs/wbc8.json and specs/malaria.json."
        " The test part of pbc was scored once. pbc names no patients, so cells of one patient may lie on both sides: with"
        " new patients expect less. For malaria each patient is predicted by a run that was not trained on this patient;"
        " the shipped model is then trained on all of them. Nothing was chosen by these predictions but its thresholds."
        " wbc4-other-stains is trained on the data of wbc4 with strong stain augmentation, each crop scaled by its own"
        " levels; it is for laboratories that wbc4 has not seen, at home it is a little worse.",
        "",
    ]
    rows = [
        [
            MODEL_TITLES[name],
            f"{one['images']:,}",
            f"{one['source_cells']:,}",
            format_with_interval(one["accuracy"], one["interval"]),
            format_with_interval(one["balanced_accuracy"], one["balanced_interval"]),
            f">= {one['bar']}" if one["bar"] else "none",
            format_verdict(one["accuracy"] >= one["bar"]) if one["bar"] else "",
            percent(one["confident_right"]),
            percent(one["held_back"]),
        ]
        for name, one in measured.items()
    ]
    head = ["model", "images", "source cells or patients", "accuracy", "balanced", "bar", ""]
    lines += table([*head, "accuracy where confident", "flagged for review"], rows)
    for name, one in measured.items():
        lines += [f"{name}, recall of each class:", ""]
        recalls = [
            [label, format_with_interval(part["recall"], part["interval"]), f"{part['images']:,}"]
            for label, part in one["recall"].items()
        ]
        lines += table(["class", "recall", "images"], recalls)
    return lines


def render_out_of_laboratory(measured: dict[str, Any]) -> list[str]:
    lines = [
        "## A laboratory that the model has not seen, and after at most 100 of its cells",
        "",
        "`benchmarks/measure_out_of_laboratory.py`. For bccd the model was trained on pbc and wbc-masks"
        " (specs/without-bccd.json), since kaggle-wbc TRAIN and TEST are made from bccd; for wbc-masks it is the shipped"
        " wbc4-other-stains, which was trained on TRAIN and pbc. The strength of the stain augmentation was"
        " chosen on laboratories other than the one"
        " that is scored (table above). Adapted as the app does it, on cells drawn evenly from the classes; scored on all"
        " the others.",
        "",
    ]
    rows, bars = [], []
    for name, one in measured.items():
        unseen, (asked, asked_adapted) = one["unseen"], one["bars"].values()
        rows.append([name, "unseen", f"{unseen['images']}", *_format_metrics(unseen)])
        for part in one["adapted"]:
            what = f"{part['cells']} cells, draw {part['seed']}" + (", refused" if "refused" in part else "")
            rows.append([name, f"before, on the rest of draw {part['seed']}", f"{part['rest_before']['images']}"])
            rows[-1] += _format_metrics(part["rest_before"])
            rows.append([name, what, f"{part['rest_after']['images']}", *_format_metrics(part["rest_after"])])
        mean = one["adapted_mean_accuracy"]
        bars.append(
            [f"{name}, unseen", f">= {asked}", f"{unseen['accuracy']:.3f}", format_verdict(unseen["accuracy"] >= asked)]
        )
        bars.append(
            [f"{name}, adapted, mean", f">= {asked_adapted}", f"{mean:.3f}", format_verdict(mean >= asked_adapted)]
        )
    lines += table(["bar", "asked", "measured", ""], bars)
    head = [
        "laboratory",
        "model",
        "images scored",
        "accuracy",
        "balanced",
        "accuracy where confident",
        "flagged for review",
    ]
    return lines + table(head, rows)


def _format_metrics(one: dict[str, Any]) -> list[str]:
    return [
        format_with_interval(one["accuracy"], one["interval"]),
        f"{one['balanced_accuracy']:.3f}",
        percent(one["confident_right"]),
        percent(one["held_back"]),
    ]


def render_stain_augmentation(measured: dict[str, Any]) -> list[str]:
    lines = [
        "## How strong the stain augmentation should be",
        "",
        "`benchmarks/measure_stain_augmentation.py`: the small net trained for 6 epochs of 3,000 crops on pbc alone, one run"
        ' each, scored on cells of two other laboratories. "Own levels": each crop is scaled by its own mean and deviation. For'
        " the model that is scored on wbc-masks the column of kaggle-wbc TRAIN was used, for the one scored"
        " on bccd the column of"
        " wbc-masks.",
        "",
    ]
    names = list(next(iter(measured.values())))
    rows = [
        [name, *(format_with_interval(one[lab]["accuracy"], one[lab]["interval"]) for lab in names)]
        for name, one in measured.items()
    ]
    return lines + table(["augmentation", *names], rows)

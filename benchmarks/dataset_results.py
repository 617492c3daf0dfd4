"""The sections of docs/results.md on datasets: loading, copies, leaks, segmentation, imbalance, scaling."""

from typing import Any

from result_tables import format_verdict, format_with_interval, percent, table

from bloodcell.training.specs.recipes import RECIPES

RECIPE_NAMES = [one.name for one in RECIPES]


def render_datasets(measured: dict[str, Any]) -> list[str]:
    bar, sets = (
        measured["bar"],
        {name: one for name, one in measured.items() if isinstance(one, dict) and "scan_s" in one},
    )
    rows = [
        [
            name,
            f"{one['images']:,}",
            f"{one['total_s']:.1f} s ({one['cpu_s']:.1f} s of processor time)",
            f"{one['peak_mb']:.0f} MB",
            f"{one['distinct_files']:,}",
        ]
        for name, one in sets.items()
    ]
    whole = sets["kaggle-wbc"]
    return [
        "## Registering a dataset",
        "",
        "`benchmarks/measure_datasets.py`: listing, reading, decoding and hashing every image, in a process of its own. Bar:"
        f" {bar['images']:,} images of 320x240 within {bar['seconds']} s and {bar['mb']} MB:"
        f" {format_verdict(whole['total_s'] <= bar['seconds'] and whole['peak_mb'] <= bar['mb'])}.",
        "",
        *table(["dataset", "images", "time", "peak memory", "distinct files"], rows),
    ]


def render_segmentation(measured: dict[str, Any]) -> list[str]:
    rows = [
        [
            name,
            format_with_interval(one["dice_nucleus"]["mean"], one["dice_nucleus"]["interval"]),
            format_with_interval(one["dice_cell"]["mean"], one["dice_cell"]["interval"]),
        ]
        for name, one in measured["methods"].items()
    ]
    return [
        f"## Ways to segment, against the true masks of wbc-masks ({measured['images']} cells)",
        "",
        "`benchmarks/measure_segmentation.py`. Mean Dice with the 95 % bootstrap interval over images.",
        "",
        *table(["method", "nucleus", "whole cell"], rows),
    ]


def render_unet(measured: dict[str, Any]) -> list[str]:
    spec, n = measured["spec"], measured["folds_done"]
    rows = [
        [
            name,
            format_with_interval(one["dice"]["mean"], one["dice"]["interval"]),
            format_with_interval(one["iou"]["mean"], one["iou"]["interval"]),
            f"{one['dice']['least']:.3f}",
        ]
        for name, one in measured["methods"].items()
    ]
    shortened = f" Shortened for want of time: {n} of the {measured['folds']} fifths." if n < measured["folds"] else ""
    return [
        f"## U-Net for masks, against the true masks of wbc-masks ({measured['images']} held-out cells)",
        "",
        "`benchmarks/measure_unet.py`: each fifth of wbc-masks is held out in turn, and the network is trained on the others"
        f" ({spec['height_px']}x{spec['width_px']} px, {spec['epochs']} epochs, batches of {spec['batch_size']}, seed"
        f" {spec['seed']}).{shortened} Whichever masks it was trained on, it is scored on the whole cell in the held-out"
        " images, at their own size, against the drawn masks. Means with the 95 % bootstrap interval over images. All images"
        " are from one laboratory: this says nothing about another stain.",
        "",
        *table(["method", "Dice", "IoU", "lowest Dice"], rows),
    ]


def render_copies(measured: dict[str, Any]) -> list[str]:
    if not {"test", "train", "pbc", "leaks"} <= measured.keys():
        return _write_leaks(measured["leaks"]) if "leaks" in measured else []  # the rest is measured in part only
    test, train, pbc = measured["test"], measured["train"], measured["pbc"]
    own, of_cells = test["own_group_by_class"], test["cell_own_group_by_class"]
    bars = [
        [
            f"TEST: {name} originals that are a group of their own",
            str(n),
            f"{own[name]} of {n}",
            format_verdict(own[name] == n),
        ]
        for name, n in test["originals_by_class"].items()
        if name != "EOSINOPHIL"
    ]
    bars += [
        [
            f"TEST: {name} cells that are a group of their own",
            str(n),
            f"{of_cells[name]} of {n}",
            format_verdict(of_cells[name] == n),
        ]
        for name, n in test["cells_by_class"].items()
    ]
    bars += [
        [
            "TEST: adjusted Rand index, every original its own",
            ">= 0.97",
            f"{test['ari_originals']:.4f}",
            format_verdict(test["ari_originals"] >= 0.97),
        ],
        [
            "TEST: the same, originals that show one cell as one",
            ">= 0.97",
            f"{test['ari_cells']:.4f}",
            format_verdict(test["ari_cells"] >= 0.97),
        ],
        [
            f"TRAIN: time for {train['images']:,} images, two cores",
            "<= 600 s",
            f"{train['wall_s']:.0f} s ({train['cpu_s']:.0f} s of processor time)",
            format_verdict(train["wall_s"] <= 600),
        ],
        [
            "TRAIN: memory of the process",
            "<= 2 GB",
            f"{train['peak_mb']:,} MB",
            format_verdict(train["peak_mb"] <= 2048),
        ],
    ]
    lines = [
        "## Copies of one cell",
        "",
        "`benchmarks/measure_copies.py`. Images are grouped by their pixels alone, TEST in shuffled order. The truth for TEST"
        f" is made by another matcher (ORB): {test['with_original']:,} of {test['checked']:,} images are"
        " matched to an original of TEST_SIMPLE. Some originals are two photographs of one cell"
        f" ({len(test['photographed_twice'])} pairs or more, by ORB). These are to be joined, so they cannot be groups of"
        " their own as well: the metrics are given with every original its own, and with such originals as one cell.",
        "",
    ]
    lines += table(["metric", "bar", "measured", ""], bars)
    lines += [
        "Taken for one cell by ORB: " + "; ".join(" = ".join(pair) for pair in test["photographed_twice"]) + ".",
        "",
    ]
    rows = [
        [
            split,
            f"{one['images']:,}",
            str(one["photographs"]),
            str(one["groups"]),
            f"{one['size_min']} / {one['size_median']:g} / {one['size_max']}",
            str(one["singles"]),
            "; ".join(f"{n} images of {' and '.join(names)}" for n, names in one["mixed"]) or "none",
        ]
        for split, one in (("TRAIN", train), ("TEST", test))
    ]
    head = ["set", "images", "photographs", "groups", "sizes: min / median / max", "single", "of two folders"]
    lines += table(head, rows)
    lines += [
        f"pbc: {pbc['images']:,} images, {pbc['groups']:,} groups; {pbc['images_in_them']} images are in"
        f" {pbc['groups_of_several']} groups of several, the largest of {pbc['size_max']}. There are"
        f" {pbc['joined_pairs']} joined pairs, fewer than the bar's 200; {pbc['sampled_pairs']} were reviewed side by"
        " side. Each shows one piece of smear, so joining them is right for a split; but in more than half of them the"
        " cell in the middle of one is a neighbour at the rim of the other, and"
        f" {len(pbc['mixed'])} groups hold two labels. The bar (no two different cells joined) is **missed** by its letter.",
        "",
    ]
    return lines + _write_leaks(measured["leaks"])


def _write_leaks(found: dict[str, Any]) -> list[str]:
    lines = [
        "## What TEST shares with TRAIN",
        "",
        "`python -m bloodcell leaks TRAIN TEST --out pairs.csv`, by the same script. kaggle-wbc as it is published: a pair"
        " is an image of TEST and the most similar image of TRAIN from the same cell.",
        "",
    ]
    rows = [
        [
            one["set"],
            f"{one['images_touched']:,} of {one['images']:,} ({percent(one['share_of_images'])})",
            f"{one['source_cells_touched']} of {one['source_cells']}",
        ]
        for one in found["touched"]
    ]
    lines += table(["set", "images whose cell is in the other set", "source cells"], rows)
    kinds = ", ".join(f"{n} {kind}" for kind, n in found["kinds"].items()) or "none"
    lines += [f"{found['pairs']:,} pairs ({kinds}), {found['different_labels']} of them with different labels.", ""]
    cells = [
        [
            f"{', '.join(one['train_labels'])}: {one['train_images']} images, {one['train_example']}",
            f"{', '.join(one['test_labels'])}: {one['test_images']} images, {one['test_example']}",
            f"{one['inliers']}",
            f"{one['correlation']:.2f}",
            f"{one['overlap']:.2f}",
        ]
        for one in found["cells"]
    ]
    return lines + table(["in TRAIN", "in TEST", "points that agree", "correlation", "overlap"], cells)


def render_imbalance(measured: dict[str, Any]) -> list[str]:
    rare, training = measured["rare"], measured["training"]
    rows = []
    for name, one in measured["variants"].items():
        recall, learned = one["recall"][rare], [of_fold[rare] for of_fold in one["learned_from"]]
        images = ", ".join(str(of_fold["images"]) for of_fold in learned)
        cells = ", ".join(str(of_fold["source_cells"]) for of_fold in learned)
        rows.append(
            [
                name,
                f"{images} of {cells}",
                format_with_interval(one["balanced_accuracy"], one["balanced_interval"]),
                format_with_interval(recall["recall"], recall["interval"]),
                ", ".join(f"{other['recall']:.3f}" for label, other in one["recall"].items() if label != rare),
            ]
        )
    first = next(iter(measured["variants"].values()))
    others = ", ".join(label for label in first["recall"] if label != rare)
    head = [
        "treatment",
        f"{rare} images, of source cells",
        "balanced accuracy",
        f"{rare} recall",
        f"recall of {others}",
    ]
    return [
        "## The lecture's rare class: 75 NEUTROPHIL images of few cells",
        "",
        f"`benchmarks/measure_imbalance.py`: {measured['protocol']}. TEST was not touched. {first['images']} held-out images of"
        f" {first['source_cells']} source cells; {first['recall'][rare]['source_cells']} of these cells are {rare}. A small"
        f" network ({training['height_px']} px, {training['epochs']} epochs of {training['images_per_epoch']} crops, seed"
        f" {training['seed']}), so the rows are to be compared with each other, not with the shipped model.",
        "",
        *table(head, rows),
    ]


def render_leaky_split(measured: dict[str, Any]) -> list[str]:
    training = measured["training"]
    rows = [
        [
            name,
            percent(one["share_with_a_learned_copy"]),
            format_with_interval(one["accuracy"], one["interval"]),
            format_with_interval(one["balanced_accuracy"], one["balanced_interval"]),
        ]
        for name, one in measured["splits"].items()
    ]
    head = ["split", "held-out images with a copy in training", "accuracy", "balanced accuracy"]
    return [
        "## What a leaky split pretends",
        "",
        f"`benchmarks/measure_leaky_split.py`: {measured['protocol']}. The same network"
        f" ({training['height_px']} px, {training['epochs']} epochs of {training['images_per_epoch']} crops, seed"
        f" {training['seed']}) and the same images; only the split differs. TEST was not touched. Intervals are over source"
        " cells in both rows, but where the model was trained on copies of every cell they say nothing about new cells.",
        "",
        *table(head, rows),
    ]


def render_reproduction(measured: dict[str, Any]) -> list[str]:
    lines = [
        "## Published work, on an honest split and on a leaky one",
        "",
        "`benchmarks/measure_reproduction.py` (`python -m bloodcell reproduce NAME`). Each network was trained twice by the"
        " same code; only the split differs: copies of a cell, or cells of a patient, kept together (honest), or images at"
        " random (leaky). Accuracy on the held-out fold, with the 95 % interval over source cells or"
        " patients. TEST was not touched."
        " The runs are shorter than the published ones, as two processor cores allow, so read each row across: what the leak"
        " adds. One run each, so rows differ by chance too.",
        "",
    ]
    rows, unspoiled, honest_lows = [], [], []
    for one in measured.values():
        for variant in dict.fromkeys(run["variant"] for run in one["runs"]):
            runs = {run["split"]: run for run in one["runs"] if run["variant"] == variant}
            rows.append(
                [
                    variant,
                    one["published"],
                    *(_format_accuracy(runs.get(split)) for split in ("honest", "leaky")),
                    str(runs["honest"]["source_cells"]),
                    one["shortened"],
                ]
            )
            if "leaky" in runs and runs["leaky"]["accuracy"] <= runs["honest"]["accuracy"]:
                unspoiled.append(variant)
            honest_lows.append(runs["honest"]["interval"][0])
    head = ["network", "published", "honest split", "leaky split", "cells or patients held out", "how it was shortened"]
    remark = [_NOTHING_GAINED.format(", ".join(unspoiled)), ""] if unspoiled else []
    lost = [row[0] for row, low in zip(rows, honest_lows, strict=True) if low <= CHANCE_OF_FOUR]
    if lost:
        remark += [
            f"Still at chance after so few images, so that nothing can be read from the row: {', '.join(lost)}.",
            "",
        ]
    missing = [name for name in RECIPE_NAMES if name not in measured]
    left = [f"Not run yet, for want of time: {', '.join(missing)}.", ""] if missing else []
    return [*lines, *table(head, rows), *remark, *left]


def _format_accuracy(run: dict[str, Any] | None) -> str:
    return "not run, for want of time" if run is None else format_with_interval(run["accuracy"], run["interval"])


CHANCE_OF_FOUR = 0.25
_NOTHING_GAINED = (
    "The leak gained nothing for: {}. So short a run has not memorised single cells yet; what a leak gives a network that"
    " trains longer is shown above under *What a leaky split pretends*."
)


def render_training_memory(measured: dict[str, Any]) -> list[str]:
    small, large = measured["k_fold"]
    rows = [
        [f"k-fold, {one['images']:,} images of 240x320 px", f"{one['peak_mb']:,} MB", f"{one['seconds']} s"]
        for one in (small, large)
    ]
    growth = large["peak_mb"] / small["peak_mb"] - 1
    fits = measured["trials"]["after_each_fit_mb"]
    return [
        "## Memory of training",
        "",
        "`benchmarks/measure_memory.py`: two folds at full resolution with as small a network as can be, each in a process of"
        " its own; images lie in a file and are read as they are drawn.",
        "",
        *table(["what", "peak memory", "time"], rows),
        *table(
            ["metric", "bar", "measured", ""],
            [["growth from 1,000 to 10,000 images", "<= 10 %", percent(growth), format_verdict(growth <= 0.10)]],
        ),
        f"After each of {len(fits)} trials in one process: {', '.join(f'{mb:,}' for mb in fits)} MB. So it does grow with the"
        f" number of fits, by {round((fits[-1] - fits[0]) / (len(fits) - 1))} MB each: TensorFlow keeps something of every"
        " compiled network, also once that is gone. A run of hundreds of fits is better stopped and resumed now and then.",
        "",
    ]


def render_scaling(measured: dict[str, Any]) -> list[str]:
    rows = []
    for name, (small, large) in measured["memory"].items():
        difference = measured["largest_difference_to_standard_scaler"][name]
        peaks = [f"{one['peak_mb']:.0f} MB" for one in (small, large)]
        rows.append([name, *peaks, f"{difference['scaled_levels']:.1g}", str(difference["least_sd"])])
    first = next(iter(measured["memory"].values()))
    head = ["scaling", *(f"peak at {one['crops']:,} crops" for one in first)]
    return [
        "## Scaling, fitted in one pass",
        "",
        f"`benchmarks/measure_scaling.py`: crops of {measured['side_px']} px from kaggle-wbc TRAIN, each fit in a process of"
        " its own (memory is that of the whole process, decoding with it); the difference is the largest of all scaled levels"
        f" of {measured['sample']:,} crops to scikit-learn's StandardScaler (bar: 1e-6).",
        "",
        *table([*head, "difference", "smallest deviation"], rows),
    ]


def render_evaluate_page(measured: dict[str, Any]) -> list[str]:
    bars = (
        ("open_s", "opening it by the menu, until an image is open", 1.0),
        ("address_s", "the same by its address, with the whole app loaded anew", 1.0),
        ("matrix_s", "a click into the matrix, until it says how many images", 0.3),
        ("tile_s", "a click on an image, until it is open", 0.3),
    )
    rows = []
    for name, words, bar in bars:
        one = measured[name]
        spread = f"{one['median']:.2f} s ({one['least']:.2f} to {one['most']:.2f})"
        rows.append([words, f"<= {bar:g} s", spread, "met" if one["median"] <= bar else "**missed**"])
    return [
        "## The Evaluate page",
        "",
        f"`benchmarks/measure_evaluate_page.py`: an evaluation of {measured['images']:,} images in headless Chromium, on the"
        f" same two cores as the server; median of {measured['repeats']} (min to max):",
        "",
        *table(["", "bar", "measured", ""], rows),
    ]

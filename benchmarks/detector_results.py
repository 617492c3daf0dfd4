"""Sections of docs/results.md on the detector: fields, counts, scale, stitched and large images."""

from typing import Any

from result_tables import format_verdict, format_with_interval, percent, table

Bar = tuple[str, str, str, bool]


def _show(value: float, interval: list[float]) -> str:
    return format_with_interval(value, interval)


def _list_bars(measured: dict[str, Any]) -> list[Bar]:
    bccd, txl = measured["bccd test"]["detector"], measured["txl val"]["detector"]
    white = measured["txl val"]["white"]["joint"]
    bars: list[Bar] = [
        ("bccd test: mAP50", ">= 0.92", _show(bccd["map50"], bccd["map50_interval"]), bccd["map50"] >= 0.92),
        ("txl val: mAP50", ">= 0.93", _show(txl["map50"], txl["map50_interval"]), txl["map50"] >= 0.93),
    ]
    for name, title, limit in (
        ("RBC", "red cells", 0.04),
        ("WBC", "white cells", 0.01),
        ("PLATELET", "platelets", 0.05),
    ):
        one = bccd["by_class"][name]
        bars.append(
            (
                f"bccd test: total of {title}, found through labelled",
                f"within {100 * limit:.0f} %",
                _show(one["count_ratio"], one["count_ratio_interval"]),
                abs(one["count_ratio"] - 1) <= limit,
            )
        )
    bars += [
        (
            "txl val: white cells whose centre is found",
            ">= 99 %",
            percent(white["centre_recall"], 2),
            white["centre_recall"] >= 0.99,
        ),
        ("txl val: white cells met with IoU >= 0.5", ">= 97 %", percent(white["iou_50"], 2), white["iou_50"] >= 0.97),
        (
            "txl val: false white cells a field",
            "<= 0.01",
            f"{white['false_per_field']:.3f}",
            white["false_per_field"] <= 0.01,
        ),
    ]
    for name, one in measured["single cells"].items():
        bars.append(
            (
                f"{name}: exactly one white cell ({one['images']:,} images)",
                ">= 99.5 %",
                percent(one["exactly_one"], 2),
                one["exactly_one"] >= 0.995,
            )
        )
    for name, one in measured["stitched"].items():
        bars.append(
            (
                f"bccd test stitched {name}: centres found",
                ">= 97 %",
                percent(one["centre_recall"], 1),
                one["centre_recall"] >= 0.97,
            )
        )
    plain = measured["disturbed"]["plain"]["joint"]["centre_recall"]
    worst, one = min(measured["disturbed"].items(), key=lambda item: item[1]["joint"]["centre_recall"])
    share = one["joint"]["centre_recall"] / plain
    bars.append(
        (f"disturbed fields, the worst ({worst}): recall through plain", ">= 95 %", percent(share, 1), share >= 0.95)
    )
    scale = measured["scale"]["bccd test"]["within_7_percent"]
    bars.append(
        (
            "scale within 7 % of the true one, batches of 10, resized by 0.5 to 2",
            ">= 95 %",
            percent(scale, 1),
            scale >= 0.95,
        )
    )
    joint_ms = measured["speed"]["joint_ms"]
    bars.append(("a field of 640 x 480, one core, decoding in", "<= 25 ms", f"{joint_ms} ms", joint_ms <= 25))
    return bars


def render_detector(measured: dict[str, Any]) -> list[str]:
    """Render what the detector and the finder made of it find."""
    lines = [
        "## White cells, red cells and platelets of fields",
        "",
        "`benchmarks/measure_detector.py`; trained by `bloodcell train specs/detector.json` on bccd trainval and txl train."
        " Nothing below was trained on. A detector of the first eight minutes was scored on the same fields before, to find"
        " faults of the script; settings and thresholds were chosen on held-out fields of trainval and train alone."
        " Intervals are over fields."
        ' "White cells" of txl val are those of the whole finder (detector and threshold finder joined).',
        "",
        *table(["metric", "bar", "measured", ""], [[*bar[:3], format_verdict(bar[3])] for bar in _list_bars(measured)]),
    ]
    rows = []
    for source in ("bccd test", "txl val"):
        for name, one in measured[source]["detector"]["by_class"].items():
            rows.append(
                [
                    source,
                    name,
                    str(one["true"]),
                    str(one["found"]),
                    f"{one['ap50']:.3f}",
                    _show(one["centre_recall"], one["centre_recall_interval"]),
                    _show(one["false_per_field"], one["false_per_field_interval"]),
                    _show(one["count_error"], one["count_error_interval"]),
                ]
            )
    header = [
        "fields",
        "cells",
        "labelled",
        "found",
        "AP50",
        "centres found",
        "false a field",
        "error of a field's count",
    ]
    lines += table(header, rows)
    rows = [
        [
            source,
            name,
            str(one["cells"]),
            percent(one["centre_recall"], 2),
            percent(one["iou_50"], 2),
            f"{one['false_per_field']:.3f}",
        ]
        for source in ("bccd test", "txl val")
        for name, one in measured[source]["white"].items()
    ]
    lines += table(["fields", "finder", "white cells", "centre found", "IoU >= 0.5", "false a field"], rows)
    rows = [
        [
            name,
            f"{one['images']:,}",
            percent(one["exactly_one"], 2),
            percent(one["threshold_exactly_one"], 2),
            str(one["none"]),
            str(one["several"]),
            percent(one.get("one_box_on_the_middle"), 2) if "one_box_on_the_middle" in one else "",
        ]
        for name, one in measured["single cells"].items()
    ]
    header = [
        "images of one labelled cell",
        "n",
        "exactly one",
        "threshold finder",
        "none",
        "several",
        "one box on the middle",
    ]
    lines += table(header, rows)
    rows = [
        [
            name,
            percent(one["joint"]["centre_recall"], 1),
            f"{one['joint']['false_per_field']:.3f}",
            percent(one["threshold"], 1),
        ]
        for name, one in measured["disturbed"].items()
    ]
    lines += table(["60 fields of bccd test", "centres found", "false a field", "threshold finder"], rows)
    speed = measured["speed"]
    return [
        *lines,
        f"Decoding and finding all cells of a field takes {speed['joint_ms']} ms on one core, {speed['ratio']} times the"
        f" threshold finder alone in the same run ({speed['threshold_ms']} ms). The network has"
        f" {measured['parameters']:,} parameters, {measured['onnx_mb']} MB.",
        "",
    ]


def render_large(measured: dict[str, Any]) -> list[str]:
    """Render memory and time for large stitched images."""
    rows = [
        [
            f"{one['side_px']:,} x {one['side_px']:,}",
            f"{one['unpacked_mb']} MB",
            f"{one['peak_mb']} MB",
            f"{one['scale_seconds']} s",
            f"{one['detection_seconds']} s",
        ]
        for one in measured["images"]
    ]
    seconds = measured["images"][-1]["scale_seconds"] + measured["images"][-1]["detection_seconds"]
    return [
        "## Large images",
        "",
        f"`benchmarks/measure_large.py`, fields of bccd stitched to one tiled TIFF, {measured['threads']} threads. Memory grows"
        f" by {percent(measured['growth'])} for four times the pixels (bar {percent(measured['bar'])}:"
        f" {format_verdict(measured['is_met'])}); the largest takes {seconds:.0f} s (bar 60 s:"
        f" {format_verdict(seconds <= 60)}).",
        "",
        *table(["image", "unpacked", "peak memory", "scale", "cells"], rows),
    ]

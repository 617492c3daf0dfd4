"""``explain``: a model and a cell, or the cells of a class, in; an image of what the model relies on out."""

import argparse

import numpy as np
from tqdm import tqdm

from bloodcell.cli.shared.arguments import DATASET_HELP, MODEL_HELP, add_reading_options
from bloodcell.cli.shared.evaluation import select_records
from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import (
    check_output_file,
    check_paths,
    print_info,
    to_printable,
    update_bar,
    write_output,
)
from bloodcell.cli.shared.run_folder import announce_training_library
from bloodcell.core.errors import ExplainError, ImageError
from bloodcell.core.labels import HAS_CELLS
from bloodcell.core.settings import load_settings
from bloodcell.explain.explain_cells import average_crops, cut_class_crops, explain_crops, find_class_index
from bloodcell.explain.explanation import GRADCAM_UNIT, NOT_A_MEDICAL_REASON, OCCLUSION, OCCLUSION_UNIT, Explanation
from bloodcell.explain.spec import needs_keras
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.inference.detector import Detector
from bloodcell.inference.engine import Engine
from bloodcell.inference.field_finder import make_batch_finder
from bloodcell.inference.pipeline import analyse, compute_magnification, crop_model_input
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.model_store.library import find_model
from bloodcell.plots.explanation_maps import find_map_range
from bloodcell.reports.explanation_sheet import SIDE_PX, draw_layer_sheet, draw_map_sheet
from bloodcell.reports.numbers import format_count

DETAILS = (
    "If IMAGE shows several cells, the largest is explained. A map shows what the network relied on, not a medical reason. "
    "The methods gradcam and layers need the model's file model.keras and TensorFlow."
)
EXAMPLE = "explain wbc4 cell.jpg --out map.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``explain``."""
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("image", metavar="IMAGE", nargs="?", help="image of one cell or of a field of view")
    parser.add_argument("--out", required=True, metavar="FILE.png", help="image to write")
    parser.add_argument(
        "--method",
        choices=("occlusion", "gradcam", "layers"),
        default="occlusion",
        help="occlusion: how much the probability drops when a part of the cell is covered, for any model; gradcam: which "
        "places speak for the class; layers: outputs of the convolution and pooling layers (default: %(default)s)",
    )
    parser.add_argument(
        "--class", dest="class_name", metavar="NAME", help="class that the map is for (default: the predicted class)"
    )
    parser.add_argument("--layer", default="", metavar="NAME", help="layer that gradcam uses (default: the last)")
    parser.add_argument("--dataset", metavar="DATASET", help=f"with --mean-of, in place of IMAGE: {DATASET_HELP}")
    parser.add_argument("--mean-of", metavar="CLASS", help="average the maps of the cells that DATASET labels so")
    parser.add_argument("--part", metavar="NAME", help="use only the images of this part of DATASET, such as test")
    parser.add_argument(
        "--max-cells", type=int, default=64, metavar="N", help="average at most N cells (default: %(default)s)"
    )
    parser.add_argument("--most", dest="max_cells", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Explain what ``args.model`` predicts for ``args.image``, or of a class of ``args.dataset``, into ``args.out``.

    Raises
    ------
    BloodcellError
        If the model, the image, the dataset, the class, the layer or the output cannot be used; nothing is written then.
    """
    is_mean = args.dataset is not None or args.mean_of is not None
    if is_mean == (args.image is not None) or (args.dataset is None) != (args.mean_of is None):
        raise ExplainError("`explain` takes either an IMAGE, or --dataset and --mean-of together.")
    if args.layer and args.method != "gradcam":
        raise ExplainError(f"--layer is for --method gradcam. Received: --method {args.method}.")
    model = find_model(args.model, load_settings())
    out = check_output_file(args.out)
    engine = Engine(model.folder)
    wanted = find_class_index(engine.class_names, args.class_name) if args.class_name else None
    if is_mean:
        crops, large, title, predicted = _crop_class(engine, args)
    else:
        crops, large, title, predicted = _crop_largest_cell(engine, args.image)
    if needs_keras((args.method,)):
        announce_training_library(f"The method {args.method}")
    with tqdm(total=len(crops), unit="cell", desc="explain", disable=args.method != OCCLUSION) as bar:
        found = explain_crops(
            engine,
            model.folder,
            crops,
            (args.method,),
            args.layer,
            args.mean_of or "",
            lambda done, total: update_bar(bar, done, total),
        )
    chosen = predicted if wanted is None else wanted
    write_output(out, encode_png(_draw_sheet(found, large, f"{to_printable(model.name)}: {title}", chosen)))
    print_info(NOT_A_MEDICAL_REASON)
    print_info(f"written to {out}")
    return 0


def _crop_largest_cell(engine: Engine, path: str) -> tuple[np.ndarray, np.ndarray, str, int]:
    """Return the crop of the largest cell, (1, H, W, 3), the same enlarged, its title, and the index of its class."""
    (file,) = check_paths([path])
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ImageError(f"The image {to_printable(path)} cannot be read: {error.strerror}.") from error
    finder, _, images = make_batch_finder(Detector(SHIPPED_DETECTOR), [data], engine.class_names)
    (result,) = analyse(engine, images, finder)
    if result.status != HAS_CELLS:
        raise ImageError(f"{to_printable(file.name)}: {result.message}")
    cell = max(result.cells, key=lambda cell: cell.box.area_px)
    rgb = read_rgb(data)
    red_cell_px = result.other_cells.red_cell_px if result.other_cells is not None else None
    crop = crop_model_input(engine.framing, rgb, cell.box, red_cell_px=red_cell_px)
    magnification = compute_magnification(engine.framing, SIDE_PX)
    large = crop_model_input(engine.framing, rgb, cell.box, magnification, red_cell_px)
    title = f"{cell.class_name} {max(cell.probs):.3f} ({cell.status}), {to_printable(file.name)}"
    return crop[None], large, title, engine.class_names.index(cell.class_name)


def _crop_class(engine: Engine, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, str, int]:
    """Return the crops of a class, (N, H, W, 3), their mean, its title, and the index of the class."""
    opened = open_images(args.dataset, args)
    records = opened.records if args.part is None else select_records(opened, args.part)
    with tqdm(unit="image", desc="read") as bar:
        crops = cut_class_crops(
            engine,
            opened.contents,
            records,
            args.mean_of,
            args.max_cells,
            lambda done, total: update_bar(bar, done, total),
        )
    title = (
        f"mean of {format_count(len(crops), 'cell')} labelled {to_printable(args.mean_of)}, {to_printable(opened.name)}"
    )
    return crops, average_crops(crops), title, find_class_index(engine.class_names, args.mean_of)


def _draw_sheet(found: Explanation, large: np.ndarray, title: str, chosen: int) -> np.ndarray:
    if found.layers:
        how = "Outputs of the convolution and pooling layers: the most active channels, white is highest."
        return draw_layer_sheet(found.layers, [title, how, NOT_A_MEDICAL_REASON])
    name = found.class_names[chosen]
    if found.occlusion is not None:
        values = found.occlusion[chosen]
        lines = [title, f"Occlusion for {name}; largest drop {values.max():.3f}.", NOT_A_MEDICAL_REASON]
        return draw_map_sheet(large, values, find_map_range(values), signed=True, lines=lines, unit=OCCLUSION_UNIT)
    if found.gradcam is None:
        raise ExplainError("There is nothing to draw.")
    places = " x ".join(map(str, found.gradcam_map_size))
    lines = [
        title,
        f"Grad-CAM for {name} at the layer {found.gradcam_layer}, which has {places} places.",
        NOT_A_MEDICAL_REASON,
    ]
    return draw_map_sheet(large, found.gradcam[chosen], 1.0, signed=False, lines=lines, unit=GRADCAM_UNIT)

"""``explain``: a model and a cell, or the cells of a class, in; a picture of where the model looks out."""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import advance, existing_paths, output_file, shown, tell, write_whole
from bloodcell.cli.shared.summary import counted
from bloodcell.core.errors import DatasetError, ExplainError, ImageError
from bloodcell.core.labels import HAS_CELLS
from bloodcell.core.settings import load_settings
from bloodcell.explain.class_cells import class_crops, class_index, mean_crop
from bloodcell.explain.explain_cells import explain
from bloodcell.explain.explanation import GRADCAM_UNIT, NOT_A_REASON, OCCLUSION, OCCLUSION_UNIT, Explanation
from bloodcell.explain.spec import needs_keras
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse, enlarging, seen_crop
from bloodcell.model_store.folder import get_model, read_model
from bloodcell.plots.explanation_maps import map_range
from bloodcell.reports.explanation_sheet import SIDE_PX, layer_sheet, map_sheet


def run(args: argparse.Namespace) -> int:
    """Explain what ``args.model`` says of ``args.image``, or of a class of ``args.dataset``, into ``args.out``.

    Raises
    ------
    BloodcellError
        If the model, the image, the dataset, the class, the layer or the output cannot be used; nothing is written then.
    """
    is_mean = args.dataset is not None or args.mean_of is not None
    if is_mean == (args.image is not None) or (args.dataset is None) != (args.mean_of is None):
        raise ExplainError(
            "Either an IMAGE is explained, or --dataset and --mean-of together say what to take the mean of."
        )
    if args.layer and args.method != "gradcam":
        raise ExplainError(f"--layer is for --method gradcam. Received: --method {args.method}.")
    folder = Path(args.model)
    model = read_model(folder) if (folder / "spec.json").is_file() else get_model(args.model, load_settings())
    out = output_file(args.out)
    engine = Engine(model.folder)
    wanted = class_index(engine.class_names, args.class_name) if args.class_name else None
    if is_mean:
        crops, large, title, predicted = _of_class(engine, args)
    else:
        crops, large, title, predicted = _of_image(engine, args.image)
    if needs_keras((args.method,)):
        tell("Loading the training library ...")
    with tqdm(total=len(crops), unit="cell", desc="explain", disable=args.method != OCCLUSION) as bar:
        found = explain(
            engine,
            model.folder,
            crops,
            (args.method,),
            args.layer,
            args.mean_of or "",
            lambda done, total: advance(bar, done, total),
        )
    chosen = predicted if wanted is None else wanted
    write_whole(out, encode_png(_sheet(found, large, f"{shown(model.name)}: {title}", chosen)))
    tell(NOT_A_REASON)
    tell(f"written to {out}")
    return 0


def _of_image(engine: Engine, path: str) -> tuple[np.ndarray, np.ndarray, str, int]:
    """The crop of the largest cell, (1, H, W, 3), the same enlarged, what it was named, and its class's place."""
    (file,) = existing_paths([path])
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ImageError(f"The image {shown(path)} cannot be read: {error.strerror}.") from error
    (result,) = analyse(engine, [data])
    if result.status != HAS_CELLS:
        raise ImageError(f"{shown(file.name)}: {result.message}")
    cell = max(result.cells, key=lambda one: one.box.area_px)
    rgb = read_rgb(data)
    crop = seen_crop(engine.framing, rgb, cell.box)
    large = seen_crop(engine.framing, rgb, cell.box, enlarging(engine.framing, SIDE_PX))
    title = f"{cell.class_name} {max(cell.probs):.3f} ({cell.status}), {shown(file.name)}"
    return crop[None], large, title, engine.class_names.index(cell.class_name)


def _of_class(engine: Engine, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, str, int]:
    """The crops of a class, (N, H, W, 3), their mean, what it is the mean of, and the class's place."""
    opened = open_images(args.dataset, args)
    records = opened.records if args.part is None else opened.of_part(args.part)
    if not records:
        there = ", ".join(opened.parts) or "none"
        raise DatasetError(f"{opened.name} has no part {args.part!r}. Its parts: {there}.")
    with tqdm(unit="image", desc="read") as bar:
        crops = class_crops(
            engine, opened.contents, records, args.mean_of, args.most, lambda done, total: advance(bar, done, total)
        )
    title = f"mean of {counted(len(crops), 'cell')} labelled {shown(args.mean_of)}, {shown(opened.name)}"
    return crops, mean_crop(crops), title, class_index(engine.class_names, args.mean_of)


def _sheet(found: Explanation, large: np.ndarray, title: str, chosen: int) -> np.ndarray:
    if found.layers:
        how = "What convolution and pooling layers put out: their most active channels, white is most."
        return layer_sheet(found.layers, [title, how, NOT_A_REASON])
    name = found.class_names[chosen]
    if found.occlusion is not None:
        values = found.occlusion[chosen]
        lines = [title, f"Occlusion for {name}; largest drop {values.max():.3f}.", NOT_A_REASON]
        return map_sheet(large, values, map_range(values), signed=True, lines=lines, unit=OCCLUSION_UNIT)
    if found.gradcam is None:
        raise ExplainError("Nothing was found to draw.")
    places = " x ".join(map(str, found.gradcam_places))
    lines = [title, f"Grad-CAM for {name} at the layer {found.gradcam_layer}, which has {places} places.", NOT_A_REASON]
    return map_sheet(large, found.gradcam[chosen], 1.0, signed=False, lines=lines, unit=GRADCAM_UNIT)

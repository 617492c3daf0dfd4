"""Count confident cells where there is no white cell to be confident about; the bar is none.

Images: drawn ones (data/synthetic.draw_non_smears), photographs that come with scikit-image and scikit-learn, single red
cells of malaria.zip, and parts of TEST_SIMPLE and txl val fields without a white cell. No model was trained on any of them.
"""

import argparse
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data
import sklearn.datasets
from measure_finder import Field, read_txl_fields
from measurements import DATA, PROJECT, require_path, write_measurement

from bloodcell.core.errors import BloodcellError
from bloodcell.core.labels import CONFIDENT
from bloodcell.imaging.boxes import Box, iou
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.inference.detector import Detector
from bloodcell.inference.engine import Engine
from bloodcell.inference.field_finder import make_batch_finder
from bloodcell.inference.pipeline import analyse
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.synthetic.gallery import draw_non_smears

NamedImage = tuple[str, bytes]


def draw_images() -> Iterator[NamedImage]:
    for kind, rgb in draw_non_smears(seed=1):
        yield f"drawn: {kind.rstrip('0123456789 ')}", encode_png(rgb)


def iterate_photographs() -> Iterator[NamedImage]:
    """Every image that the two packages carry, whole and in quarters."""
    folders = [Path(skimage.data.__file__).parent, Path(sklearn.datasets.__file__).parent / "images"]
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".tif", ".tiff"):
            continue
        try:
            rgb = read_rgb(path.read_bytes())
        except BloodcellError as error:
            print(f"left out {path.name}: {error}", file=sys.stderr)
            continue
        yield "photograph", encode_png(rgb)
        height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
        if min(height, width) < 64:
            continue
        for top in (0, height):
            for left in (0, width):
                yield "photograph", encode_png(np.ascontiguousarray(rgb[top : top + height, left : left + width]))


def iterate_red_cells() -> Iterator[NamedImage]:
    with zipfile.ZipFile(require_path(DATA / "malaria.zip")) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".png"))[::80]:
            yield "single red cell", archive.read(name)


def iterate_empty_parts() -> Iterator[NamedImage]:
    """Corner squares of fields, 0.42 of their shorter side, that touch no white cell; far too large a view of them.

    TEST_SIMPLE has no boxes, so the finder's are avoided there; of txl the labelled ones, and the finder's too.
    """
    fields: list[Field] = [(path, []) for path in sorted(require_path(DATA / "kaggle-wbc" / "TEST_SIMPLE").glob("*/*"))]
    for path, boxes in [*fields, *read_txl_fields("val")]:
        rgb = read_rgb(path.read_bytes())
        boxes = [*boxes, *find_white_cells(rgb).boxes]
        side_px = round(0.42 * min(rgb.shape[:2]))
        for top in (0, rgb.shape[0] - side_px):
            for left in (0, rgb.shape[1] - side_px):
                window = Box(top, left, top + side_px, left + side_px)
                if not any(iou(window, box) > 0 for box in boxes):
                    yield (
                        "part of a field without a white cell",
                        encode_png(np.ascontiguousarray(rgb[top : top + side_px, left : left + side_px])),
                    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=PROJECT / "models" / "wbc4")
    parser.add_argument("--show", type=Path, help="folder for the pictures with a confident cell")
    args = parser.parse_args()
    engine, detector = Engine(args.model), Detector(SHIPPED_DETECTOR)
    pictures: Counter[str] = Counter()
    found: Counter[str] = Counter()
    confident: Counter[str] = Counter()
    for source in (draw_images(), iterate_photographs(), iterate_red_cells(), iterate_empty_parts()):
        images = list(source)
        finder, _, contents = make_batch_finder(detector, [data for _, data in images], engine.class_names)
        for (kind, data), result in zip(images, analyse(engine, contents, finder), strict=True):
            pictures[kind] += 1
            found[kind] += bool(result.cells)
            is_confident = any(cell.status == CONFIDENT for cell in result.cells)
            confident[kind] += is_confident
            if is_confident and args.show:
                args.show.mkdir(parents=True, exist_ok=True)
                (args.show / f"{kind.replace(' ', '-')}-{pictures[kind]}.png").write_bytes(data)
    kinds = [
        {"kind": kind, "pictures": n, "with_a_box": found[kind], "with_a_confident_cell": confident[kind]}
        for kind, n in sorted(pictures.items())
    ]
    total = {"pictures": sum(pictures.values()), "with_a_confident_cell": sum(confident.values())}
    write_measurement("status", {"model": args.model.name, "total": total, "kinds": kinds})


if __name__ == "__main__":
    main()

"""Drawn images for trying the app and for tests: fields with their truth, a sample set, and images that are not smears."""

from typing import Final

from bloodcell.imaging.read import encode_jpeg, encode_png
from bloodcell.synthetic.cells import STAINS
from bloodcell.synthetic.fields import DrawnField, draw_field
from bloodcell.synthetic.non_smears import N_NON_SMEARS, draw_non_smears

__all__ = ["N_NON_SMEARS", "DrawnField", "draw_field", "draw_non_smears", "draw_sample_set"]

# (kind, white cells, height, width, scale); the first is what a laboratory's microscope gives most often.
_SAMPLES: Final = (
    ("field", 1, 480, 640, None),
    ("field", 2, 480, 640, None),
    ("no-white-cell", 0, 480, 640, None),
    ("field", 1, 480, 640, None),
    ("field", 3, 480, 640, 0.8),
    ("small-field", 1, 240, 320, None),
    ("square-field", 1, 360, 360, 0.6),
    ("single-cell", 1, 120, 120, 0.45),
    ("field", 1, 480, 640, None),
    ("field", 2, 480, 640, 0.8),
    ("small-field", 1, 240, 320, None),
    ("single-cell", 1, 120, 120, 0.45),
)


def draw_sample_set(n: int = 12, seed: int = 0) -> list[tuple[str, bytes]]:
    """Draw a set for first-time users: fields with none to three white cells, in several sizes.

    Parameters
    ----------
    n : int, default 12
        Number of images; if it is at least 3, one of them has no white cell.
    seed : int, default 0
        The same seed gives the same images.

    Returns
    -------
    list of (str, bytes)
        Name and file. JPEG, every fourth a PNG; the names tell the kind of image, not the class of its cells.
    """
    images = []
    for index in range(n):
        kind, n_white, height_px, width_px, scale = _SAMPLES[index % len(_SAMPLES)]
        stain = tuple(STAINS)[index % len(STAINS)]
        field = draw_field(seed * 1000 + index, n_white, height_px, width_px, scale=scale, stain=stain)
        stem = f"drawn-{index + 1:02d}-{kind}"
        if index % 4 == 3:
            images.append((f"{stem}.png", encode_png(field.rgb)))
        else:
            images.append((f"{stem}.jpg", encode_jpeg(field.rgb, quality=92)))
    return images

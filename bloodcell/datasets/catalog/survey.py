"""Survey a labelled set by the headers of its files alone: sizes, formats, and what cannot be read."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from bloodcell.core.errors import BloodcellError
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import read_image_header

COLUMNS = ("file", "label", "format", "height_px", "width_px", "problem")


def survey_images(images: Contents, records: Sequence[Record], on_progress: OnProgress | None = None) -> pd.DataFrame:
    """Read the header of every image; no image is decoded, and only one file is in memory at a time.

    Damage after the header is therefore not noticed here.

    Parameters
    ----------
    images : Contents
        Where the files are.
    records : sequence of Record
        The labelled images.
    on_progress : callable, optional
        Called with (done, total) after every image.

    Returns
    -------
    DataFrame
        One row for each image in the order of `records`: file, label, format (JPEG, PNG, BMP, TIFF), height_px, width_px
        (as shown, EXIF applied), problem. If the header cannot be used, problem says why, format is "" and the sizes
        are 0; else problem is "".
    """
    rows: list[tuple[str, str, str, int, int, str]] = []
    for done, record in enumerate(records, 1):
        try:
            rows.append((record.file, record.label, *read_image_header(images.read(record.file)), ""))
        except BloodcellError as error:
            rows.append((record.file, record.label, "", 0, 0, str(error)))
        if on_progress is not None:
            on_progress(done, len(records))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def count_classes(records: Sequence[Record]) -> dict[str, int]:
    """Count the images of each class, in alphabetical order.

    Examples
    --------
    >>> count_classes([Record("1.png", "MONOCYTE"), Record("2.png", "EOSINOPHIL"), Record("3.png", "MONOCYTE")])
    {'EOSINOPHIL': 1, 'MONOCYTE': 2}
    """
    return dict(sorted(Counter(record.label for record in records).items()))

"""What a labelled set holds, from the headers of its files alone: sizes, formats, and what cannot be read."""

from collections.abc import Sequence

import pandas as pd

from bloodcell.core.errors import BloodcellError
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import read_image_header

COLUMNS = ("file", "label", "format", "height_px", "width_px", "problem")


def survey_images(images: Contents, records: Sequence[Record], on_progress: OnProgress | None = None) -> pd.DataFrame:
    """Look at the header of every image; none is decoded, and no more than one file is in memory.

    Damage behind the header is therefore not seen here.

    Parameters
    ----------
    images : where the files are
    records : the labelled images
    on_progress : called with (done, total) after every image

    Returns
    -------
    DataFrame, one row an image in the order of `records`
        file, label, format (JPEG, PNG, BMP, TIFF), height_px, width_px (as shown, EXIF applied), problem. Where the
        header cannot be used, problem says why, format is "" and the sizes are 0; else problem is "".
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
    """Images of each class, in alphabetical order."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record.label] = counts.get(record.label, 0) + 1
    return dict(sorted(counts.items()))

"""Find the image that a table means by a path, a name or a number."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from bloodcell.datasets.labels.records import normalise_label

_DIGITS: Final = re.compile(r"[0-9]+")


class ImageNames:
    """Finds the image that a table means.

    In this order: by its path from the dataset's or the table's folder, by its file name, by either without the
    suffix, and, for a bare number, by the number in the file name if there is just one (25 is BloodImage_00025.jpg
    and 025.bmp, but not _25_1734.jpeg). Neither case nor leading zeros of numbers matter.

    Parameters
    ----------
    image_files : iterable of str
        The images of the dataset.
    csv_name : str
        The table, whose folder names may start from.

    Examples
    --------
    >>> names = ImageNames(["A/BloodImage_00025.jpg", "A/26.jpg"], "labels.csv")
    >>> names.find("25"), names.find("bloodimage_00025"), names.find("27")
    ({'A/BloodImage_00025.jpg'}, {'A/BloodImage_00025.jpg'}, set())
    """

    def __init__(self, image_files: Iterable[str], csv_name: str) -> None:
        self._lookups: tuple[dict[str, set[str]], ...] = tuple(defaultdict(set) for _ in range(4))
        beside_csv = f"{PurePosixPath(csv_name).parent.as_posix()}/"
        for file in image_files:
            path = PurePosixPath(file)
            for spelling in (file, file.removeprefix(beside_csv)):
                self._lookups[0][normalise_label(spelling)].add(file)
                self._lookups[2][normalise_label(spelling.removesuffix(path.suffix))].add(file)
            self._lookups[1][normalise_label(path.name)].add(file)
            self._lookups[2][normalise_label(path.stem)].add(file)
            numbers = _DIGITS.findall(path.stem)
            if len(numbers) == 1:
                self._lookups[3][numbers[0].lstrip("0")].add(file)

    def find(self, text: str) -> set[str]:
        """Find the images that `text` fits, in the first way that fits any; empty if none does."""
        key = normalise_label(text.replace("\\", "/").removeprefix("./"))
        for way in self._lookups[:3]:
            if key in way:
                return way[key]
        return self._lookups[3].get(key.lstrip("0"), set()) if _DIGITS.fullmatch(key) else set()

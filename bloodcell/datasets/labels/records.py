"""One labelled image of a dataset, as every part of the package hands it on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One labelled image.

    file : its path inside the dataset, with `/`
    label : as written, "" where it has none
    split : train, test and so on, as written, "" where nothing says so
    """

    file: str
    label: str
    split: str = ""

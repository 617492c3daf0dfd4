"""The public image sets that Bloodcell can download: contents, licence and source."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class PublicSet:
    """One public set.

    Attributes
    ----------
    name : str
        Its name on the command line.
    what : str
        One line on its contents.
    licence : str
        As its source states it.
    source : str
        Where to read about it and download it by hand.
    url : str
        The zip; "" if the source requires an account.
    file_name : str
        The zip's name in the workspace.
    size_mb : int
        Approximate size of the download.
    sha256 : str, optional
        SHA-256 of the zip; None if no trustworthy source states one, so that it is noted at the first download.
    sha256_source : str, default ""
        Who states it.
    """

    name: str
    what: str
    licence: str
    source: str
    url: str
    file_name: str
    size_mb: int
    sha256: str | None = None
    sha256_source: str = ""


PUBLIC_SETS: Final = (
    PublicSet(
        name="bccd",
        what="364 fields 640x480 with boxes of white cells, red cells and platelets",
        licence="MIT",
        source="https://github.com/Shenggan/BCCD_Dataset",
        url="https://github.com/Shenggan/BCCD_Dataset/archive/v1.0.zip",
        file_name="bccd.zip",
        size_mb=8,
        sha256="97af5cc16d14d293fcb3c82a8f66e49b0339a8d0abd8e9508e0feeb4911caa1f",
        sha256_source="TensorFlow Datasets, bccd/checksums.tsv",
    ),
    PublicSet(
        name="kaggle-wbc",
        what="12,515 images 320x240 of 4 classes of white cells, augmented copies of about 350 source cells",
        licence="MIT",
        source="https://www.kaggle.com/datasets/paultimothymooney/blood-cells",
        url="",
        file_name="kaggle-wbc.zip",
        size_mb=108,
    ),
    PublicSet(
        name="pbc",
        what="17,092 single cells of 8 classes, about 360 px, one hospital (CellaVision DM96)",
        licence="CC BY 4.0 (Acevedo et al. 2020, doi:10.17632/snkd93bnjr.1)",
        source="https://data.mendeley.com/datasets/snkd93bnjr/1",
        url="https://data.mendeley.com/public-files/datasets/snkd93bnjr/files/"
        "2fc38728-2ae7-4a62-a857-032af82334c3/file_downloaded",
        file_name="pbc.zip",
        size_mb=270,
    ),
    PublicSet(
        name="malaria",
        what="27,558 red cells, parasitized and uninfected",
        licence="public domain (US National Library of Medicine)",
        source="https://lhncbc.nlm.nih.gov/LHC-research/LHC-projects/image-processing/malaria-datasheet.html",
        url="https://data.lhncbc.nlm.nih.gov/public/Malaria/cell_images.zip",
        file_name="malaria.zip",
        size_mb=353,
        sha256="0a949556b2414159b5100192609805376654c4266d8d187be9b1922fad43c668",
        sha256_source="TensorFlow Datasets, url_checksums/malaria.txt",
    ),
    PublicSet(
        name="txl-pbc",
        what="1,260 fields of four laboratories with boxes of white cells, red cells and platelets",
        licence="MIT",
        source="https://github.com/lugan113/TXL-PBC_Dataset",
        url="https://github.com/lugan113/TXL-PBC_Dataset/archive/HEAD.zip",
        file_name="txl-pbc.zip",
        size_mb=40,
    ),
    PublicSet(
        name="wbc-masks",
        what="400 single white cells of two laboratories with masks of nucleus and cytoplasm",
        licence="GPL-3.0 (for your own use; never shipped with Bloodcell)",
        source="https://github.com/zxaoyou/segmentation_WBC",
        url="https://github.com/zxaoyou/segmentation_WBC/archive/master.zip",
        file_name="wbc-masks.zip",
        size_mb=25,
    ),
)

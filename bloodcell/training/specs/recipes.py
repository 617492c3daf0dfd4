"""Published work on these data as training specs: each trained twice, on an honest split and on a leaky one.

The CNN, the FCN and the custom CNN are scaled per channel unless a recipe says otherwise: with levels divided by 255,
as published, they were still at chance after 6,000 images.
"""

from dataclasses import dataclass, replace
from typing import Any

from bloodcell.core.errors import SpecError
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.imaging.augment import REFLECT, Augmentation
from bloodcell.model_store.io_spec import IMAGE
from bloodcell.training.specs.train_spec import TrainSpec

HONEST, LEAKY = "honest", "leaky"
TRAIN = SourceSpec(name="kaggle-wbc TRAIN", path="kaggle-wbc/TRAIN", groups="pixels")
MALARIA = SourceSpec(name="malaria", path="malaria.zip", groups=r"name:C(\d+)")
FOLDS = 4
# Rotation, flip and contrast, as in the published notebooks.
PUBLISHED_AUGMENTATION = Augmentation(0, 0, 0, 0, 0, 0, turn_deg=36, mirror=True, light=0, contrast=0.2, fill=REFLECT)


@dataclass(frozen=True)
class Recipe:
    """One published work.

    Attributes
    ----------
    name : str
        Name on the command line.
    title : str
        Title for people.
    published : str
        What was published, with its result.
    shortened : str
        How these runs are shorter than the published ones; "" where they are not.
    variants : dict of str to TrainSpec
        Variant -> spec of its honest run; the leaky run differs only in its split.
    """

    name: str
    title: str
    published: str
    shortened: str
    variants: dict[str, TrainSpec]

    def list_runs(self) -> dict[tuple[str, str], TrainSpec]:
        """Return (variant, "honest" or "leaky") -> spec, in the order in which they are run."""
        return {
            (name, split): spec if split == HONEST else make_leaky(spec)
            for name, spec in self.variants.items()
            for split in (HONEST, LEAKY)
        }


def make_leaky(spec: TrainSpec) -> TrainSpec:
    """Return the same run on a split of single images: copies of a cell, or cells of a patient, are on both sides."""
    sources = tuple(replace(source, groups="each") for source in spec.sources)
    return replace(spec, name=f"{spec.name}-leaky", sources=sources)


def _build_train_spec(model: str, name: str, **changes: Any) -> TrainSpec:
    own = {"scaling": "channel"} if model in ("cnn", "fcn", "custom_cnn") else {}
    short: dict[str, Any] = own | {"epochs": 8, "images_per_epoch": 1500, "folds": FOLDS, "fold": 0}
    return TrainSpec.for_network(model, name, (TRAIN,), **(short | changes))


_SHORT_NOTE = "8 epochs of 1,500 of about 7,500 training images, one run each"
_SMALL = {"height_px": 48, "width_px": 64, "epochs": 4}
_SMALL_NOTE = "48x64 px, 4 epochs of 1,500 of about 7,500 training images, one run each"
_FCN = {"epochs": 6}
_FCN_NOTE = "6 epochs of 1,500 of about 7,500 training images, one run each"
_SCALINGS = {"divided by 255": "255", "per channel": "channel", "global": "global", "per pixel": "pixel"}

RECIPES = (
    Recipe(
        "malaria",
        "Malaria by patient and by cell",
        "99 % by cell in print, 94 to 96 % by patient; 0.959 with ImageNet weights",
        "the small network from scratch at 48x48 px, 8 epochs of 5,000 images, one fold of four",
        {
            "small network, malaria": TrainSpec.for_network(
                "small",
                "malaria",
                (MALARIA,),
                class_names=("PARASITIZED", "UNINFECTED"),
                input=IMAGE,
                height_px=48,
                width_px=48,
                unknown_share=0.0,
                epochs=8,
                images_per_epoch=5000,
                folds=FOLDS,
                augment=replace(PUBLISHED_AUGMENTATION, turn_deg=180),
            )
        },
    ),
    Recipe(
        "cnn",
        "CNN on whole images",
        "3,312,964 parameters, 10 trials, all of them converged",
        _SHORT_NOTE,
        {"CNN": _build_train_spec("cnn", "cnn")},
    ),
    Recipe(
        "fcn",
        "FCN on whole images",
        "2,853,892 parameters, 0.882 on TEST, 9 of 10 trials converged",
        _FCN_NOTE,
        {"FCN": _build_train_spec("fcn", "fcn", **_FCN)},
    ),
    Recipe(
        "scalings",
        "CNN with four scalings",
        "four ways of scaling, compared",
        _SMALL_NOTE,
        {
            f"CNN, {words}": _build_train_spec("cnn", f"cnn-{name}", scaling=name, **_SMALL)
            for words, name in _SCALINGS.items()
        },
    ),
    Recipe(
        "masks",
        "CNN and FCN on images without background",
        "Otsu masks",
        f"CNN: {_SMALL_NOTE}; FCN: {_FCN_NOTE}",
        {
            "CNN, Otsu masks": _build_train_spec("cnn", "cnn-otsu", mask="otsu", **_SMALL),
            "FCN, Otsu masks": _build_train_spec("fcn", "fcn-otsu", mask="otsu", **_FCN),
        },
    ),
    Recipe(
        "custom",
        "Custom CNN 128x128 with rotation, flip and contrast",
        "Kaggle kernels: 0.838 to 0.871 on TEST",
        "6 epochs of 1,500 of about 7,500 training images, one run each; scaled per channel",
        {"custom CNN": _build_train_spec("custom_cnn", "custom", epochs=6, augment=PUBLISHED_AUGMENTATION)},
    ),
    Recipe(
        "xception",
        "Xception in two phases",
        "ImageNet weights, 240x320 px",
        "from scratch, as no weights can be downloaded here; 72x96 px, 4 epochs of 500 images, the first with a frozen"
        " backbone",
        {
            "Xception": _build_train_spec(
                "xception",
                "xception",
                height_px=72,
                width_px=96,
                epochs=4,
                images_per_epoch=500,
                frozen_epochs=1,
                learning_rate=1e-4,
            )
        },
    ),
    Recipe(
        "resnet18",
        "ResNet18 from scratch",
        "11.2 million parameters",
        "64x64 px, 4 epochs of 1,500 images",
        {
            "ResNet18": _build_train_spec(
                "resnet18", "resnet18", height_px=64, width_px=64, epochs=4, images_per_epoch=1500
            )
        },
    ),
    Recipe(
        "svm",
        "ResNet50 features and an SVM",
        "features of ImageNet weights",
        "features of random weights, as no weights can be downloaded here; 96x96 px",
        {"SVM": _build_train_spec("resnet50_svm", "svm", height_px=96, width_px=96)},
    ),
    Recipe(
        "lecture",
        "75 NEUTROPHIL images against 2,480 of each other class",
        "the lecture's case; treatments are compared by benchmarks/measure_imbalance.py",
        "the small network on detected cells, 8 epochs of 3,000 crops",
        {
            "small network, class weights": TrainSpec(
                name="lecture",
                sources=(replace(TRAIN, limits=(("NEUTROPHIL", 75),)),),
                context=1.2,
                augment=Augmentation(stain=0.05, mixing=0.01),
                stage_widths=(12, 24, 48, 80),
                epochs=8,
                images_per_epoch=3000,
                folds=FOLDS,
                class_sampling="as they come",
                class_weights="balanced",
            )
        },
    ),
)


def get_recipe(name: str) -> Recipe:
    """Return the recipe called `name`; SpecError lists the recipes where there is none.

    Examples
    --------
    >>> get_recipe("fcn").title
    'FCN on whole images'
    """
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    raise SpecError(f"There is no recipe {name!r}. Recipes: {', '.join(recipe.name for recipe in RECIPES)}.")

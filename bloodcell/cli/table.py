"""The commands in one written-out table. A new command is a module of its own and a line here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    Attributes
    ----------
    name : str
        What a user types behind ``bloodcell``.
    module : str
        Module below `bloodcell.cli` that holds its arguments and runs it; imported only when the command is asked for.
    help : str
        What it does, in one line that begins with a verb in lower case.
    """

    name: str
    module: str
    help: str


COMMANDS = (
    Command("app", "app", "open the app in the browser"),
    Command("classify", "models.classify", "classify images and write a CSV"),
    Command("find", "models.find", "find the white cells and write their boxes"),
    Command("count", "models.count", "count white cells, red cells and platelets"),
    Command("models", "models.list_models", "list the models in the model library"),
    Command("load-model", "models.load_model", "add a model from elsewhere to the model library"),
    Command("export-model", "models.export_model", "write a model to a zip"),
    Command("evaluate", "models.evaluate", "measure a model on labelled images"),
    Command("compare", "models.compare", "measure several models on the same labelled images"),
    Command("report", "models.report", "write the report of an evaluation"),
    Command("explain", "models.explain", "draw which parts of a cell a model relies on"),
    Command("data", "datasets.public_data", "list or download public datasets"),
    Command("explore", "datasets.explore", "explore labelled images and write a report"),
    Command("groups", "datasets.groups", "find which images show the same cell or come from the same patient"),
    Command("cut-cells", "datasets.cut_cells", "cut the cells out of images with boxes"),
    Command("split", "datasets.split", "split a dataset for training, validation and test"),
    Command("leaks", "datasets.leaks", "find the cells that two datasets share"),
    Command("networks", "training.networks", "list the networks that can be trained"),
    Command("train", "training.train", "train a model"),
    Command("trials", "training.trials", "train with several seeds and measure how much the metrics vary"),
    Command("kfold", "training.kfold", "cross-validate: train every fold once and score the cells that were held out"),
    Command("search", "training.search", "search for better training settings"),
    Command("adapt", "training.adapt", "adapt a model to another laboratory with a few dozen of its cells"),
    Command("train-masks", "training.train_masks", "train a U-Net that marks the cell"),
    Command("reproduce", "training.reproduce", "train published work on an honest split and on a leaky one"),
    Command("jobs", "training.jobs", "list, start, stop and follow training in the background"),
)
# Names of earlier versions, which still work.
RETIRED_NAMES = {"teach-masks": "train-masks"}

"""``export-model``: a model of the shelf as one zip."""

import argparse

from bloodcell.cli.shared.output import output_file, tell, write_whole
from bloodcell.core.settings import load_settings
from bloodcell.model_store.folder import get_model
from bloodcell.model_store.model_zip import packed_bytes


def run(args: argparse.Namespace) -> int:
    """Write the model ``args.model`` to the zip ``args.out``.

    Raises
    ------
    BloodcellError
        If there is no such model, or the file cannot be written.
    """
    out = output_file(args.out)
    write_whole(out, packed_bytes(get_model(args.model, load_settings()).folder))
    tell(f"written to {out}; `load-model` takes it in anywhere")
    return 0

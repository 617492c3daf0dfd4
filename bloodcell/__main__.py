"""``python -m bloodcell``."""

import sys

from bloodcell.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

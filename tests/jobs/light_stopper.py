"""A stopper as the real one, that starts the next job with the light worker."""

import sys

from bloodcell.jobs.runners import local_stopper
from tests.jobs.light_worker import light_queue

if __name__ == "__main__":
    sys.exit(local_stopper.main(sys.argv[1:], light_queue().dispatch))

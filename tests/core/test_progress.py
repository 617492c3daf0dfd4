"""What a run tells on the way, and how it is asked to stop."""

import pytest

from bloodcell.core import progress
from bloodcell.core.errors import StoppedError
from bloodcell.core.progress import Control, Pace, raise_if_stopped


class Clock:
    """A clock that stands where it is put."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_rate_and_time_left(clock):
    pace = Pace(fit=2, fits=3, epochs=5, batches=10, batch_size=16)
    pace.begin_epoch(4)
    clock.now += 2
    at = pace.count_batch(4, 0.5, 0.75)
    assert (at.fit, at.fits, at.epoch, at.epochs, at.batch, at.batches, at.images) == (2, 3, 4, 5, 4, 10, 160)
    assert at.images_per_s == 32  # 4 batches of 16 in 2 s
    assert at.seconds_left == 33  # 6 batches, an epoch of 10 and a fit of 50 are 66, at 2 a second
    assert (at.loss, at.accuracy) == (0.5, 0.75)


def test_it_is_told_twice_a_second_and_at_the_end_of_an_epoch(clock):
    pace = Pace(1, 1, 1, 10, 16)
    pace.begin_epoch(1)
    told = []
    for batch in range(1, 11):
        clock.now += 0.2
        if pace.count_batch(batch, 0, 0) is not None:
            told.append(batch)
    assert told == [1, 4, 7, 10]


def test_a_run_is_stopped_by_an_error_that_says_what_is_kept():
    raise_if_stopped(Control())
    asked = Control()
    asked.should_stop = lambda: True
    with pytest.raises(StoppedError, match="Training was stopped; the finished epochs are kept"):
        raise_if_stopped(asked)

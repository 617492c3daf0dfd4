"""The errors that Bloodcell raises on purpose; pages and the command line catch the parent only."""


class BloodcellError(Exception):
    """Something that a user can understand and put right; its text is one plain sentence."""


class ImageError(BloodcellError):
    """An image file or pixel array that cannot be used."""


class IntakeError(BloodcellError):
    """A folder, zip or upload that cannot be read."""


class DatasetError(BloodcellError):
    """A labelled dataset that is missing, empty or not of the expected layout."""


class SpecError(BloodcellError):
    """Settings that are unknown, missing or out of range."""


class ModelError(BloodcellError):
    """A model folder that is missing, incomplete or inconsistent."""


class RunError(BloodcellError):
    """A training run that could not be started or finished."""


class StoreError(BloodcellError):
    """The workspace or its database cannot be read or written (full disk, locked database)."""


class StoppedError(BloodcellError):
    """Work that the user stopped; its text says what was kept."""


class JobError(BloodcellError):
    """A job that does not exist, cannot be started, or has a status that does not allow what was asked."""


class ExplainError(BloodcellError):
    """An explanation of a network that cannot be computed."""

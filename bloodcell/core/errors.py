"""Every error that Bloodcell raises on purpose; pages and the command line catch the parent only."""


class BloodcellError(Exception):
    """Something a user can understand and mend; its text is one plain sentence."""


class ImageError(BloodcellError):
    """An image file or pixel array that cannot be used."""


class IntakeError(BloodcellError):
    """A folder, zip or upload that cannot be taken in."""


class DatasetError(BloodcellError):
    """A labelled dataset that is missing, empty or not of the expected layout."""


class SpecError(BloodcellError):
    """Training settings that are unknown, missing or out of range."""


class ModelError(BloodcellError):
    """A model folder that is missing, incomplete or inconsistent."""


class RunError(BloodcellError):
    """A training run that could not be started or finished."""


class StoreError(BloodcellError):
    """The workspace or its database refused to keep or give something (full disk, locked database)."""


class StoppedError(BloodcellError):
    """Work that its user stopped; its text says what was kept."""


class JobError(BloodcellError):
    """A job that is not there, cannot be started, or is in no state for what was asked of it."""


class ExplainError(BloodcellError):
    """A map of where a network looked that cannot be made."""

"""Apps without a page, as quick to make as those of the pages."""

from tests.pages.conftest import components_looked_for_once  # noqa: F401  a fixture that applies by itself

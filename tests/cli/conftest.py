"""Made-up runs of the tests of results, for the commands that read them."""

from tests.results.conftest import add_run, no_cache

__all__ = ["add_run", "no_cache"]

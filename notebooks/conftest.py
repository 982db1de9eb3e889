"""Notebooks as tests."""

from functools import partial

from nbmake import nb_run

# A kernel has a minute to start; a machine of a build server may stand still for longer.
nb_run.NotebookClient = partial(nb_run.NotebookClient, startup_timeout=600)

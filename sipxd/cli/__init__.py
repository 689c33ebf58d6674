"""The ``sipxd`` command: one module for each group of commands, listed in :mod:`sipxd.cli.main`."""

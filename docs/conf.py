"""Settings of Sphinx."""

from sipxd import __version__

project = "sipxd"
version = release = __version__
html_theme = "alabaster"
highlight_language = "none"

"""Settings of Sphinx."""

import sys
from pathlib import Path

from sipxd import __version__

sys.path.append(str(Path(__file__).parent / "_ext"))

extensions = ["sipxcom_api", "soap_api"]

project = "sipxd"
version = release = __version__
html_theme = "alabaster"
highlight_language = "none"

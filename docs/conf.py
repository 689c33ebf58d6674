"""Settings of Sphinx."""

import sys
from pathlib import Path

from sipxd import __version__

sys.path.append(str(Path(__file__).parent / "_ext"))

extensions = ["sipxcom_api", "soap_api"]

project = "sipxd"
version = release = __version__
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px"}
html_static_path = ["_static"]
html_css_files = ["wide.css"]
highlight_language = "none"

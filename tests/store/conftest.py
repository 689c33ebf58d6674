"""Where helpers of these tests are."""

from __future__ import annotations

import sys
from pathlib import Path

# The helpers lie beside the tests and are no package.
sys.path.append(str(Path(__file__).parent))

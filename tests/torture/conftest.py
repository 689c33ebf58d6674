"""Makes the messages beside the tests, and the helpers of tests/wire, importable."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.extend(map(str, (Path(__file__).parent, Path(__file__).parent.parent / "wire")))

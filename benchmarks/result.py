"""What every benchmark prints: one line of JSON."""

from __future__ import annotations

import json
import platform
from typing import Any


def report(
    name: str,
    figures: dict[str, Any],
    *,
    baseline: str,
    ratio: float,
    target: dict[str, float],
    met: bool,
) -> None:
    """Print the line.

    ``ratio`` is the main figure divided by that of the ``baseline``, which is measured in the same
    run, so that runs on different machines can be compared.
    """
    line = {
        "name": name,
        **figures,
        "baseline": baseline,
        "ratio": round(ratio, 2),
        "target": target,
        "met": met,
        "python": platform.python_version(),
    }
    print(json.dumps(line), flush=True)

"""Two SIP stacks, from `world`, for each test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from world import World


@pytest.fixture
def world() -> World:
    return World()

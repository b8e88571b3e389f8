"""End to end means the real control plane, whatever the scenarios run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.chart.conftest import helm

if TYPE_CHECKING:
    from tests.harness.planes import Plane, RealPlane


__all__ = ["helm"]  # the image's tests render the chart


@pytest.fixture(scope="session")
def control_plane(real_plane: RealPlane) -> Plane:
    """The real one: here lives what the embedded API does not have, users, rights and an audit log."""
    return real_plane

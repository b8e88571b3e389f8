"""What the charts' tests share: Helm, brought if need be (the error says what to install)."""

from __future__ import annotations

import pytest
from tests.chart.helm import Helm, helm_binary


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm that knows no cluster."""
    helm_binary()
    return Helm(tmp_path_factory.mktemp("helm"))

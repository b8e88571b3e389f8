"""The option of the crash matrix, and the runtime that the proofs in one process share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness.planes import EmbeddedPlane, Plane
    from tests.reliability.playground import Playground
    from tests.reliability.workbench import Workbench

    from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-crash-points",
        action="store_true",
        help="kill the operator at every crossing of every action, on the real API at every fifth",
    )


@pytest.fixture(scope="session")
def projects() -> Iterator[EmbeddedFoundry]:
    """A Foundry of which every test uses a project of its own."""
    from tests.harness.stage import DEPLOYMENTS  # noqa: PLC0415 - the properties need none of it

    from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry  # noqa: PLC0415

    with EmbeddedFoundry(deployments=DEPLOYMENTS, environ={}) as foundry:
        yield foundry


@pytest.fixture
def workbench(embedded_plane: EmbeddedPlane, projects: EmbeddedFoundry) -> Workbench:
    """An operator without kopf, with a namespace and a project of its own; not begun yet."""
    from tests.reliability.workbench import Workbench  # noqa: PLC0415 - the properties need none of it

    return Workbench(embedded_plane, projects)


@pytest.fixture(scope="module")
def playground(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    """Where a module's processes play: the control plane of `--control-plane`, and a Foundry of its own."""
    from tests.harness.stage import DEPLOYMENTS  # noqa: PLC0415 - the properties need none of it
    from tests.reliability.playground import Playground  # noqa: PLC0415

    from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry  # noqa: PLC0415

    with EmbeddedFoundry(deployments=DEPLOYMENTS, environ={}) as foundry:
        yield Playground(control_plane, foundry, tmp_path_factory.mktemp("playground"))

"""What all tests share: the choice of the control plane, and the stage that scenarios play on.

`--control-plane=real` runs the same scenarios on a real etcd and kube-apiserver.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness.kubectl import Kubectl
    from tests.harness.planes import EmbeddedPlane, Plane, RealPlane, Request
    from tests.harness.process import OperatorProcess
    from tests.harness.stage import Stage

    from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

REPORT = pytest.StashKey[list[str]]()
# The first run on a machine may build the real control plane's binaries.
BUILD_SECONDS = 1800


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--control-plane",
        choices=("embedded", "real"),
        default="embedded",
        help="what the scenarios and the contract of the Kubernetes API run on (default: embedded)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what asks for users and rights, where the control plane is the embedded one: it has none."""
    if config.getoption("--control-plane") == "real":
        return
    needs_rights = [item for item in items if item.get_closest_marker("needs_rights")]
    if needs_rights:
        config.hook.pytest_deselected(items=needs_rights)
        items[:] = [item for item in items if item not in needs_rights]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what tests measured."""
    if config.stash[REPORT]:
        terminalreporter.section("measured")
        for line in config.stash[REPORT]:
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of a run on several processes hands what it measured to the one that prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["measured"] = session.config.stash[REPORT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker measured."""
    node.config.stash[REPORT].extend(getattr(node, "workeroutput", {}).get("measured", []))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show the end of the operator's log with every test that fails on a stage."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            log_tail = getattr(getattr(value, "operator", None), "log_tail", None)
            if log_tail is not None:
                report.sections.append((f"the operator's log ({name})", log_tail))


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Adds a line to the summary at the end of the run."""
    return pytestconfig.stash[REPORT].append


@pytest.fixture(scope="session")
def embedded_plane() -> Iterator[EmbeddedPlane]:
    """The embedded Kubernetes API with our CRDs."""
    from tests.harness import planes  # noqa: PLC0415 - unit tests need none of it

    with planes.embedded_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def real_plane() -> Iterator[RealPlane]:
    """A real control plane with our CRDs."""
    from tests.harness import planes  # noqa: PLC0415 - unit tests need none of it

    with planes.real_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Plane:
    """The control plane of `--control-plane`."""
    plane: Plane = request.getfixturevalue(f"{request.config.getoption('--control-plane')}_plane")
    return plane


@pytest.fixture
def stage(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A namespace, a Foundry and an operator of the test's own; the operator is not started yet."""
    from tests.harness.stage import open_stage  # noqa: PLC0415 - unit tests need none of it

    with open_stage(control_plane, tmp_path_factory.mktemp("stage")) as opened:
        yield opened


@pytest.fixture(scope="session")
def shared(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose operator runs, for tests that only need one: they use names of their own on it."""
    from tests.harness.process import free_port  # noqa: PLC0415 - unit tests need none of it
    from tests.harness.stage import open_stage  # noqa: PLC0415

    with open_stage(control_plane, tmp_path_factory.mktemp("shared")) as opened:
        opened.operator.start(liveness_port=free_port())
        yield opened


@pytest.fixture
def kubectl(stage: Stage) -> Kubectl:
    """kubectl in the test's own namespace."""
    return stage.kubectl


@pytest.fixture
def foundry(stage: Stage) -> EmbeddedFoundry:
    """The test's own Foundry."""
    return stage.foundry


@pytest.fixture
def operator(stage: Stage) -> OperatorProcess:
    """The test's own operator, not started yet."""
    return stage.operator


@pytest.fixture
def api_log(stage: Stage) -> Callable[[], list[Request]]:
    """The requests of the test's operator so far."""
    return stage.requests

"""The control plane by hand, from a checkout: `python tests/e2e/controlplane fetch|run|pin`.

    fetch   get the binaries (into the cache) and print their folder
    run     start, print the path of the administrator's kubeconfig, stop on Ctrl-C or SIGTERM
    pin     write gomod/ for the pinned version (after a change in release.py)

AOS_KUBERNETES_VERSION chooses another version; progress goes to stderr.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.e2e.controlplane import ControlPlane, ControlPlaneError
from tests.e2e.controlplane.binaries import EVERYTHING, SERVERS, find_binaries
from tests.e2e.controlplane.gobuild import GOMOD, pin
from tests.e2e.controlplane.progress import say_on_stderr
from tests.e2e.controlplane.release import PINNED_VERSION, release_wanted


def main() -> int:
    arguments = _parser().parse_args()
    try:
        if arguments.command == "fetch":
            _fetch(controllers=arguments.controllers)
        elif arguments.command == "run":
            _run(controllers=arguments.controllers)
        else:
            pinned = release_wanted({"AOS_KUBERNETES_VERSION": PINNED_VERSION})
            pin(pinned, GOMOD, environ=os.environ)
    except ControlPlaneError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="controlplane", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("fetch", "run"):
        command = commands.add_parser(name)
        command.add_argument("--controllers", action="store_true", help="kube-controller-manager too")
    commands.add_parser("pin")
    return parser


def _fetch(*, controllers: bool) -> None:
    names = EVERYTHING if controllers else SERVERS
    found = find_binaries(release_wanted(os.environ), names, environ=os.environ, say=say_on_stderr())
    sys.stdout.write(f"{found.folder}\n")


def _run(*, controllers: bool) -> None:
    stop = {signal.SIGINT, signal.SIGTERM}
    with ControlPlane(controllers=controllers) as cp:
        signal.pthread_sigmask(signal.SIG_BLOCK, stop)
        sys.stdout.write(f"{cp.admin_kubeconfig}\n")
        sys.stdout.flush()
        signal.sigwait(stop)


if __name__ == "__main__":
    sys.exit(main())

"""The errors of the test control plane.

ControlPlaneError           something about the control plane went wrong; the message says what to do
|- BinariesUnavailable      no source gave the binaries; the message says what each one answered
|- NotStarted               a process ended or never became ready; the message ends with its log
|- Refused                  the API server answered one of our own requests with an error
"""


class ControlPlaneError(Exception):
    """Something about the control plane went wrong; the message says what to do."""


class BinariesUnavailable(ControlPlaneError):
    """No source gave the binaries; the message says what each one answered and what to install."""


class NotStarted(ControlPlaneError):
    """A process ended or never became ready; the message ends with the last lines of its log."""


class Refused(ControlPlaneError):
    """The API server answered one of our own requests with an error."""

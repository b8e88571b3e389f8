"""Every error has a verdict, and every reason a way to come about."""

from __future__ import annotations

import pytest

from AgentOperatingSystem.model import errors
from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.reconcile import verdict
from AgentOperatingSystem.reconcile.verdict import Reason, Retry, Verdict, verdict_on

# Reasons that no error leads to: they tell of what was observed.
OBSERVATIONS = {
    Reason.RUNNING,
    Reason.DISABLED,
    Reason.PROVISIONING,
    Reason.VERSION_FAILED,
    Reason.DELETING,
    Reason.INTERNAL_ERROR,
}
# Bases of the tree, which are never raised themselves.
BASES = {errors.AOSError, errors.OwnershipError, errors.Held, errors.PassAbandoned}
# With these the process ends, and nothing is told on any resource.
UNTOLD = {errors.LeadershipLost, errors.Stopping}

VERDICTS: list[tuple[AOSError, Reason, bool, Retry]] = [
    (errors.SpecRejected("spec.model", "x"), Reason.SPEC_REJECTED, True, Retry.INTERVAL),
    (errors.EndpointNotConfigured(), Reason.ENDPOINT_NOT_CONFIGURED, True, Retry.INTERVAL),
    (errors.ConfigurationError("AOS_X", "x"), Reason.CONFIGURATION_INVALID, True, Retry.INTERVAL),
    (errors.AdoptionRequired("x"), Reason.ADOPTION_REQUIRED, True, Retry.INTERVAL),
    (errors.OwnershipConflict("x"), Reason.OWNERSHIP_CONFLICT, True, Retry.INTERVAL),
    (errors.RuntimeMoved("x"), Reason.RUNTIME_MOVED, True, Retry.INTERVAL),
    (errors.Paused("x"), Reason.PAUSED, False, Retry.INTERVAL),
    (errors.NotAllowed("x"), Reason.NOT_ALLOWED, True, Retry.INTERVAL),
    (errors.ReferenceMissing("x"), Reason.WAITING_FOR_REFERENCE, False, Retry.SOON),
    (errors.Migrating("x"), Reason.MIGRATING, False, Retry.SOON),
    (errors.DeletionSlowed("x", retry_after=1.0), Reason.DELETION_SLOWED, False, Retry.SOON),
    (errors.Throttled("x"), Reason.THROTTLED, False, Retry.SOON),
    (errors.RuntimeUnavailable("x"), Reason.RUNTIME_UNAVAILABLE, False, Retry.SOON),
    (errors.OutcomeUnknown("x"), Reason.RUNTIME_UNAVAILABLE, False, Retry.SOON),
    (errors.NotAuthorized("x"), Reason.NOT_AUTHORIZED, True, Retry.INTERVAL),
    (errors.NotFound("x"), Reason.PROJECT_NOT_FOUND, True, Retry.INTERVAL),
    (errors.ModelNotFound("x"), Reason.MODEL_NOT_FOUND, True, Retry.INTERVAL),
    (errors.DefinitionRejected("x"), Reason.DEFINITION_REJECTED, True, Retry.INTERVAL),
    (errors.RuntimeFailure("x"), Reason.RUNTIME_REFUSED, True, Retry.INTERVAL),
]


def tree(root: type[AOSError]) -> set[type[AOSError]]:
    """`root` and all its subclasses in the errors module; other modules may have internal ones."""
    below = {kind for child in root.__subclasses__() for kind in tree(child)}
    return {kind for kind in {root, *below} if kind.__module__ == errors.__name__}


@pytest.mark.parametrize(
    ("error", "reason", "stalled", "retry"), VERDICTS, ids=[type(row[0]).__name__ for row in VERDICTS]
)
def test_an_error_has_this_verdict(error: AOSError, reason: Reason, stalled: bool, retry: Retry) -> None:
    assert verdict_on(error) == Verdict(reason, stalled, retry)


def test_every_class_of_the_tree_has_its_row_here() -> None:
    assert {type(error) for error, *_ in VERDICTS} == tree(AOSError) - BASES - UNTOLD


def test_every_reason_is_used() -> None:
    led_to = {row.reason for _, row in verdict._TABLE}
    assert led_to.isdisjoint(OBSERVATIONS)
    assert led_to | OBSERVATIONS == set(Reason)


def test_no_row_hides_behind_an_earlier_one() -> None:
    kinds = [kind for kind, _ in verdict._TABLE]
    hidden = [
        (later.__name__, earlier.__name__)
        for place, later in enumerate(kinds)
        for earlier in kinds[:place]
        if issubclass(later, earlier)
    ]
    assert hidden == []


def test_an_error_without_a_row_is_told_as_a_bug_of_ours() -> None:
    class Unforeseen(AOSError):
        pass

    assert verdict_on(Unforeseen("x")) == Verdict(Reason.INTERNAL_ERROR, False, Retry.SOON)


def test_the_docstring_draws_the_whole_tree() -> None:
    assert [kind.__name__ for kind in tree(AOSError) if kind.__name__ not in str(errors.__doc__)] == []

"""The stamp decides what may be touched, so whatever is not wholly a stamp must be none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import LIBRARY, OWNER, STAMP

from AgentOperatingSystem.model.stamp import (
    STAMP_KEYS,
    AgentIdentity,
    Owner,
    OwnerKind,
    Stamp,
    split_metadata,
)

TEXT = st.text(max_size=20)
PART = st.text("abc-._", min_size=1, max_size=8)
STAMPS = st.builds(
    Stamp,
    owner=st.builds(Owner, kind=st.sampled_from(OwnerKind), cluster=TEXT, namespace=TEXT, name=TEXT),
    agent_id=st.text(min_size=1, max_size=20),
    adapter=TEXT,
    uid=TEXT,
    hash=TEXT,
)
OWN_PAIRS = st.dictionaries(TEXT.filter(lambda key: key not in STAMP_KEYS), TEXT, max_size=6)

WHOLE = {
    "runtime_provider": "AOS",
    "agent_type": "purpose_driven",
    "aos_owner": "resource",
    "aos_agent_id": "ceo",
    "lora_adapter": "ceo",
    "aos_cluster": "c1",
    "aos_namespace": "boardroom",
    "aos_name": "ceo",
    "aos_uid": "uid-1",
    "aos_hash": "sha256:0",
}


def test_the_stamp_of_a_resource_is_these_ten_pairs() -> None:
    assert STAMP.to_metadata() == WHOLE
    assert set(WHOLE) == STAMP_KEYS


def test_the_stamp_of_a_library_agent_names_no_resource() -> None:
    assert Stamp(LIBRARY, "ceo").to_metadata() == {
        "runtime_provider": "AOS",
        "agent_type": "purpose_driven",
        "aos_owner": "library",
        "aos_agent_id": "ceo",
    }


@given(stamp=STAMPS, own=OWN_PAIRS)
def test_a_stamp_is_read_back_as_it_was_written(stamp: Stamp, own: dict[str, str]) -> None:
    assert split_metadata({**own, **stamp.to_metadata()}) == (stamp, own)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"runtime_provider": None}, "nobody says that we made it"),
        ({"runtime_provider": "SomebodyElse"}, "another system made it"),
        ({"runtime_provider": "aos"}, "the word is compared as it is written"),
        ({"aos_owner": None}, "no kind of owner"),
        ({"aos_owner": "Resource"}, "a kind of owner that we do not know"),
        ({"aos_agent_id": None}, "no agent id"),
        ({"aos_agent_id": ""}, "a blank agent id"),
    ],
)
def test_what_is_not_a_whole_stamp_is_none(change: dict[str, str | None], reason: str) -> None:
    pairs = {key: value for key, value in {**WHOLE, **change}.items() if value is not None}
    stamp, own = split_metadata({**pairs, "team": "board"})
    assert stamp is None, reason
    assert own == {"team": "board"}, "the stamp's keys are never the owner's own pairs"


@pytest.mark.parametrize(
    ("owner", "name", "reason"),
    [
        (OWNER, "c1/boardroom/ceo", "a resource is named by where it is"),
        (LIBRARY, "library", "a program has no place"),
    ],
)
def test_an_owner_is_named_for_people(owner: Owner, name: str, reason: str) -> None:
    assert str(owner) == name, reason


def test_a_resource_made_anew_is_the_same_owner() -> None:
    assert replace(STAMP, uid="uid-2").owner == STAMP.owner


@given(owner=st.builds(Owner, st.just(OwnerKind.RESOURCE), PART, PART, PART) | st.just(LIBRARY))
def test_an_owner_is_parsed_from_the_name_it_is_told_by(owner: Owner) -> None:
    """What a message names is what a person writes into the annotation."""
    assert Owner.parse(str(owner)) == owner


@pytest.mark.parametrize(
    "text", ["", "ceo", "boardroom/ceo", "a/b/c/d", "c1//ceo", "/boardroom/ceo", "Library"]
)
def test_what_names_no_owner_is_none(text: str) -> None:
    assert Owner.parse(text) is None


@pytest.mark.parametrize(
    ("stamp", "owns", "reason"),
    [
        (STAMP, True, "ours, made for this agent"),
        (replace(STAMP, uid="uid-2", hash="", adapter="cfo"), True, "notes decide nothing"),
        (None, False, "nobody's"),
        (replace(STAMP, owner=LIBRARY), False, "another's"),
        (replace(STAMP, agent_id="cfo"), False, "ours, copied from another agent"),
    ],
)
def test_an_agent_is_ours_by_owner_and_agent_id(stamp: Stamp | None, owns: bool, reason: str) -> None:
    assert AgentIdentity("ceo", OWNER, "ceo").owns(stamp) is owns, reason

"""What a purpose compiles to, word for word: a change here makes a new version of every agent there is."""

from __future__ import annotations

import pytest

from AgentOperatingSystem.purpose import Purpose, compile_instructions

WHOLE = """\
You are the Chief Executive Officer.

Your purpose: Strategic oversight and decision-making

Your scope: Strategic planning, major decisions
Leave what lies outside it to others, and say so.

You succeed when you:
- Drive growth
- Keep departments aligned

Judge every event and every question by how it serves this purpose."""

BARE = """\
You are the agent ceo.

Your purpose: Strategic oversight

Judge every event and every question by how it serves this purpose."""

SCOPED = """\
You are the agent ceo.

Your purpose: Strategic oversight

Your scope: Planning
Leave what lies outside it to others, and say so.

Judge every event and every question by how it serves this purpose."""


@pytest.mark.parametrize(
    ("purpose", "text", "reason"),
    [
        (
            Purpose(
                agent_id="ceo",
                purpose="Strategic oversight and decision-making",
                purpose_scope="Strategic planning, major decisions",
                success_criteria=["Drive growth", "Keep departments aligned"],
                system_message="You are the Chief Executive Officer.",
            ),
            WHOLE,
            "everything said",
        ),
        (Purpose("ceo", "Strategic oversight"), BARE, "without a system message the agent id says who it is"),
        (Purpose("ceo", "Strategic oversight", "Planning"), SCOPED, "a scope and no criteria"),
        (
            Purpose("ceo", "  Strategic oversight\n", " \n ", ["", "  "], "   "),
            BARE,
            "blank parts are left out, and outer white space is none of the owner's words",
        ),
        (
            Purpose(
                agent_id="ceo",
                purpose=" Strategic oversight and decision-making ",
                purpose_scope="\nStrategic planning, major decisions",
                success_criteria=(" Drive growth", "", "Keep departments aligned\n"),
                system_message="You are the Chief Executive Officer.\n",
            ),
            WHOLE,
            "what a YAML block adds at its end makes no new version",
        ),
    ],
)
def test_a_purpose_compiles_to_these_very_words(purpose: Purpose, text: str, reason: str) -> None:
    assert compile_instructions(purpose) == text, reason


def test_text_inside_a_purpose_is_kept_as_it_was_written() -> None:
    text = compile_instructions(Purpose("ceo", "Line one\n\n  indented: {braces} %s — ü"))
    assert "Your purpose: Line one\n\n  indented: {braces} %s — ü\n" in text

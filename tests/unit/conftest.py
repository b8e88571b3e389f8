"""Settings of the property tests: no time limit for a single example, since a busy machine is no bug."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", deadline=None, database=None)
settings.load_profile("unit")

"""All stages of the conformance suite, one or more for every rule set behind the engine."""

from __future__ import annotations

from tests.relayer.margin.models.stages_linear import LINEAR_STAGES
from tests.relayer.margin.models.stages_overlay import OVERLAY_STAGES
from tests.relayer.margin.models.stages_scenario import SCENARIO_STAGES

VENUES = (*LINEAR_STAGES, *SCENARIO_STAGES)
"""Every rule set by itself."""
STAGES = (*VENUES, *OVERLAY_STAGES)

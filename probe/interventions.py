"""Interventions: change a value inside the step that makes it, while a model reads or writes."""

from activations.interventions import Change as Change
from activations.interventions import Intervention as Intervention
from activations.interventions import LanePositions as LanePositions
from activations.interventions import __getattr__ as __getattr__  # it has former names
from activations.interventions import add as add
from activations.interventions import clamp as clamp
from activations.interventions import identity as identity
from activations.models.intervening import intervene as intervene
from activations.unit_changes import UnitChange as UnitChange

"""The exceptions that char-probe raises for what a user can mend; each is a `ValueError`."""

from activations.errors import ActivationError as ActivationError
from analyses.errors import AnalysisError as AnalysisError
from hypotheses.errors import HypothesisError as HypothesisError

"""The model behind a source: interventions need the model itself, and not only its recorded activations."""

from typing import cast

from activations.variants import ModelSource
from analyses.errors import AnalysisError
from analyses.session import AnySource, Session


def model_source(source: AnySource) -> ModelSource:
    """Return the live activations behind a source, whose model can be changed while it reads.

    Args:
        source: Live activations, or a session of some.

    Raises:
        AnalysisError: If it is a recording, or the model computes its steps itself.
    """
    model = reading_source(source)
    if not model.carried:
        raise AnalysisError(
            "a model of your own computes its steps itself; interventions are for models that `probe train` or "
            "`probe import` made"
        )
    return model


def reading_source(source: AnySource) -> ModelSource:
    """Return the live activations behind a source, whose model can read other texts; it may be a model of the user's.

    Raises:
        AnalysisError: If it is a recording.
    """
    inner = Session.of(source).source
    if not hasattr(inner, "read_variants"):
        raise AnalysisError(
            "an intervention needs the model itself, and a recording has only its activations; give the model, too: "
            "--model, or in Python `probe.live(recording, model)`"
        )
    return cast(ModelSource, inner)

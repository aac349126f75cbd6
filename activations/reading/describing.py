"""Description of a model and of its reading, as a recording holds it."""

from collections.abc import Sequence
from typing import Any, Protocol

from activations.interventions import Intervention
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.identity import description
from activations.reading.lanes.compute_options import ComputeOptions
from activations.texts.reading_rule import ReadingRule
from activations.texts.vocab import Vocabulary


class _Reader(Protocol):
    """The attributes of live activations that are used here."""

    model: CharRNN | CharModel
    n_lanes: int
    n_groups: int
    warm_up_chars: int
    compute: ComputeOptions
    reading_rule: ReadingRule
    vocabulary: Vocabulary

    @property
    def interventions(self) -> Sequence[Intervention]: ...

    @property
    def model_sha256(self) -> str: ...


def described(live: _Reader) -> dict[str, Any]:
    """Return the attributes of a recording that describe the model and its reading, as JSON can hold them."""
    facts: dict[str, Any] = {
        "model_sha256": live.model_sha256,
        "model_config": description(live.model),
        "n_lanes": live.n_lanes,
        "n_groups": live.n_groups,
        "warm_up_chars": live.warm_up_chars,
        "device": live.compute.torch_device.type,
        "precision": live.compute.precision,
    }
    if not live.reading_rule.is_plain:
        facts["reading_rule"] = live.reading_rule.to_data()
    if live.vocabulary.names:
        facts["token_names"] = dict(live.vocabulary.names)
    if live.interventions:
        facts["interventions"] = [str(intervention) for intervention in live.interventions]
    return facts

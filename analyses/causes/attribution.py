"""Attribution: which of all units matter to a prediction, estimated from derivatives in one backward pass."""

from collections.abc import Sequence
from dataclasses import dataclass

from activations.progress import Progress, no_progress
from activations.results import Result, TableCell
from activations.site_names import AnySites
from analyses.named_parts import sites_among
from analyses.passages.attribution_effects import WHERE, attribution_effects
from analyses.passages.attributions import attribute_windows
from analyses.passages.effects import CONTRAST, Effect
from analyses.passages.matching import N_MATCHED
from analyses.passages.models import model_source
from analyses.passages.passages import N_CHARS
from analyses.passages.windows import HORIZON_CHARS
from analyses.rounding import rounded
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Attribution(Result):
    """The change of the loss if the values of each unit were replaced, to first order.

    Attributes:
        hypothesis: The hypothesis.
        held_at: The value that replaces them, one of `REPLACED_BY`, or a number.
        effects: The effect of each unit on each set of `WHERE`, of the unit with the largest contrast first.
        horizon: Characters before each loss whose values are replaced, at least.
        integrated_steps: Steps of integrated gradients; 0 for derivatives where nothing is changed.
        n_matched: Number of matched units beside each, at least; sites of few units have fewer than wanted.
        n_chars: Number of characters whose losses count.
        seed: Seed of the draws of matched units.
    """

    hypothesis: str
    held_at: str
    effects: Sequence[Effect]
    horizon: int
    integrated_steps: int
    n_matched: int
    n_chars: int
    seed: int

    @property
    def contrasts(self) -> list[Effect]:
        """The effect of each unit inside less outside, the largest first."""
        return [effect for effect in self.effects if effect.where == CONTRAST]

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit and set of characters."""
        return [{"hypothesis": self.hypothesis, "held_at": self.held_at, **effect.row()} for effect in self.effects]

    def __str__(self) -> str:
        lines = [
            f"{effect.intervention:>22}  {rounded(effect.effect, '+.4f')} nats per character, matched units "
            f"{rounded(effect.matched, '+.4f')}, "
            f"p {effect.p:.2g}"
            for effect in self.contrasts[:10]
        ]
        return "\n".join([f"{self.hypothesis}, inside − outside, {self.n_chars:,} characters", *lines])


def attribute(
    source: AnySource,
    hypothesis: AnyHypothesis | Target,
    sites: AnySites | None = None,
    *,
    held_at: str | float = "mean",
    integrated_steps: int = 0,
    horizon: int = HORIZON_CHARS,
    n_chars: int = N_CHARS,
    n_matched: int = N_MATCHED,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Attribution:
    """Estimate for all units at once what replacing their values would change the loss by, from its derivatives.

    The attribution of a unit on a set S of characters is the mean over S of Σ_t (v − a_t) ∂ℓ/∂a_t: t are the characters
    from the loss back to the horizon, a_t is the unit's value, v the value that replaces it, and the derivative that by
    all that follows from a_t. So it estimates the sum of the effects of replacing each value once, which `ReplaceOnce`
    measures exactly, in the unit of `ablate`, whose effects it resembles as far as the model is linear. With
    `integrated_steps`, all units of a site are held at v together, in so many steps, and what this changes the loss by
    is shared out among them: the attributions of a site's units add up to it (integrated gradients).

    Args:
        source: Live activations: the model and the text.
        hypothesis: A hypothesis that is True or False: inside and outside.
        sites: The sites whose units are attributed to; None is all.
        held_at: `mean`, `zero`, `other` or a number; see `ablate`.
        integrated_steps: Steps of integrated gradients; 0 takes the derivatives where nothing is changed.
        horizon: Characters before each loss whose values are replaced, at least; up to 256 more.
        n_chars: Characters whose losses count, in passages spread over the text.
        n_matched: Matched units beside each unit.
        seed: Seed of the draws of matched units.
        progress: Called with the characters read and their number.

    Raises:
        AnalysisError: If there is no such value or site, a number is out of range, the hypothesis has no inside and
            outside here, or the source has no model.

    Source:
        Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034; Sundararajan, Taly & Yan 2017, arXiv:1703.01365; Nanda
        2023, attribution patching.
    """
    live = model_source(source)
    target = target_for(live, hypothesis)
    chosen = sites_among(live, sites)
    attributions = attribute_windows(
        live,
        target,
        chosen,
        held_at=held_at,
        integrated_steps=integrated_steps,
        horizon=horizon,
        n_chars=n_chars,
        progress=progress,
    )
    rows = attribution_effects(attributions, chosen, n_matched, seed)
    return Attribution(
        hypothesis=target.hypothesis,
        held_at=str(held_at),
        effects=_largest_first(rows),
        horizon=horizon,
        integrated_steps=integrated_steps,
        n_matched=min(row.n_matched for row in rows),
        n_chars=attributions.sets.members.shape[1],
        seed=seed,
    )


def _largest_first(rows: Sequence[Effect]) -> list[Effect]:
    """Sort units by the size of their contrast, and keep the rows of each together."""
    of_units = [rows[n : n + len(WHERE)] for n in range(0, len(rows), len(WHERE))]
    return [row for of_unit in sorted(of_units, key=lambda unit: -abs(unit[0].effect)) for row in of_unit]

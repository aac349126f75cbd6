"""How often the gates of a recurrent network are saturated: closed, at below .1, or open, at above .9."""

from dataclasses import dataclass, field

from activations.blocks import Source
from activations.progress import Progress, counting, no_progress
from activations.results import Result, TableCell
from analyses.collecting.collect import collect
from analyses.errors import AnalysisError
from analyses.session import question
from analyses.statistics.saturations import Saturation, Saturations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GateSaturation(Result):
    """How often each gate of each unit is left-saturated (below .1) and right-saturated (above .9).

    Attributes:
        sites: For each site that is a gate, in the order of the source, how often its units are saturated.
        n_chars: Number of characters.
    """

    sites: tuple[Saturation, ...] = field(repr=False)
    n_chars: int

    @property
    def gates(self) -> list[str]:
        """The names of the gates, such as `forget_gate`, each once."""
        return list(dict.fromkeys(str(saturation.site.signal) for saturation in self.sites))

    def of_gate(self, gate: str) -> list[Saturation]:
        """Return the saturation of a gate in each layer."""
        return [saturation for saturation in self.sites if saturation.site.signal == gate]

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit of each gate."""
        return [
            {"gate": saturation.site.signal, "layer": saturation.site.layer, **row}
            for saturation in self.sites
            for row in saturation.rows()
        ]

    def __str__(self) -> str:
        return "\n".join(map(str, self.sites))


@question
def gate_saturation(source: Source, *, progress: Progress = no_progress) -> GateSaturation:
    """Count at which share of characters each gate is below .1, and at which it is above .9, in one reading.

    Args:
        source: A recording or live activations that have gates.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If there are no gates, or the text is shorter than 100 characters.

    Source:
        Karpathy, Johnson & Li 2015, arXiv:1506.02078, figure 3.
    """
    gates = [site for site in source.sites if (site.signal or "").endswith("_gate")]
    if not gates:
        raise AnalysisError(
            f"there are no gates here, but {', '.join(map(str, source.sites))}; record them with `probe extract "
            "--sites`, or read the model now (--model and --text), if its cell has gates"
        )
    n_chars = source.selection.n_chars
    [by_site] = collect(source, [Saturations(source, gates)], counting(progress, n_chars))
    return GateSaturation(sites=tuple(by_site.values()), n_chars=n_chars)

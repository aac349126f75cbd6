"""The content of a report: what was measured, what was left out, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from activations.results import Result, TableCell
from activations.units import Unit
from analyses.causes.ablation import Ablation
from analyses.curves import Curve
from analyses.gate_saturation import GateSaturation
from analyses.matrix import HypothesisMatrix
from analyses.passages.effects import CONTRAST, Effect
from analyses.probing.results import ProbeResult
from analyses.profiling.unit_profile import UnitProfile
from analyses.ranking.results import RankedUnit, Ranking
from analyses.story_results import SHOWN, Section, best_control, best_probe, tell_effects, tell_probes, tell_units
from analyses.unit_tables.unit_table import UnitTable
from hypotheses.labels import Kind
from probe.evaluation import LossesBesideNgrams
from probe.viewer.text_view import TextView

N_BEST = 5
"""The number of units of each hypothesis that are shown, and that have intervals."""
MORE_OUTSIDE = "not for it, but elsewhere"
"""The answer if a unit is shown to matter more where a hypothesis does not hold than where it does."""
KNOWN, WHERE, USED = "Does the model know it?", "Do single units tell it?", "Does the model use the best unit for it?"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class About(Result):
    """The model, the text and the reading that a report is about.

    Attributes:
        model: What the model is, such as `LSTM, 2 layers of 256 units`.
        model_name: Its file, or a part of its hash.
        model_sha256: Its hash; empty if it is not known.
        text_name: The first document, and how many others there are.
        text_sha256: Hash of the text.
        n_chars: Characters that were read.
        n_documents: Documents of the text.
        n_vocabulary: Characters that the model knows.
        reading: How it read: lanes, device, date, with a sentence about how far lanes differ from one reading.
        excerpt: The beginning of the text.
    """

    model: str
    model_name: str
    model_sha256: str
    text_name: str
    text_sha256: str
    n_chars: int
    n_documents: int
    n_vocabulary: int
    reading: str
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Finding(Result):
    """What is known of one hypothesis.

    Attributes:
        hypothesis: The hypothesis.
        meaning: What it says of a character, in a sentence.
        kind: Of its labels.
        prevalence: Share of characters that are True; None if it is not True or False.
        ranking: The units, by how well each tells it.
        probes: A probe of each site, and the controls that see no model.
        profile: The best unit: where it is high and low, and when it changes; None if that was left out.
        ablation: The best unit held at its mean; None if that was left out.
        curve: How much the best 1, 2, 4, … units know together; None if that was left out.
        passage: Some held-out text with the labels and the best unit; None if that was left out.
        left_out: Why parts are missing, by their names.
    """

    hypothesis: str
    meaning: str
    kind: Kind
    prevalence: float | None
    ranking: Ranking
    probes: Sequence[ProbeResult]
    profile: UnitProfile | None = None
    ablation: Ablation | None = None
    curve: Curve | None = None
    passage: TextView | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> tuple[RankedUnit, ...]:
        """The units that are shown, the best one first."""
        return self.ranking.units[:N_BEST]

    @property
    def best_unit(self) -> Unit:
        """The unit that tells it best, chosen in training."""
        return self.ranking.units[0].unit

    @property
    def probe(self) -> ProbeResult:
        """The probe of the site from which it can be read best."""
        return best_probe(self.probes)

    @property
    def control(self) -> ProbeResult | None:
        """The best of the probes that see no model."""
        return best_control(self.probes)

    @property
    def effect(self) -> Effect | None:
        """What holding the best unit costs inside, less outside; None if it was not measured."""
        if self.ablation is None:
            return None
        return next(effect for effect in self.ablation.effects if effect.where == CONTRAST)

    @property
    def sections(self) -> list[Section]:
        """What the numbers allow to say, question by question, without parts that were left out."""
        effect = self.effect
        sections = [
            Section("fit", KNOWN, *tell_probes(self.probes)),
            Section("rank", WHERE, *tell_units(self.best, self.ranking.notes, self.ranking.measure)),
        ]
        if effect is not None:
            answer, sentences = tell_effects({str(self.best_unit): effect})
            if effect.is_shown and effect.beyond_matched < 0:
                answer = MORE_OUTSIDE
            sections.append(Section("ablate", USED, answer, sentences))
        return sections

    def answer(self, part: str) -> str | None:
        """Return the answer to a part, such as `fit`; None if the part was left out."""
        return {section.part: section.answer for section in self.sections}.get(part)

    def is_shown(self, part: str) -> bool:
        """Return whether the answer to a part, such as `fit`, is yes."""
        return self.answer(part) == SHOWN

    def rows(self) -> list[dict[str, TableCell]]:
        """Return the rows of all parts, each with the name of its `section`."""
        rows: list[dict[str, TableCell]] = [{"section": "fit", **probe.row()} for probe in self.probes]
        rows += [{"section": "rank", **row} for row in self.ranking.rows(N_BEST)]
        parts: dict[str, Result | None] = {"ablate": self.ablation, "profile": self.profile, "curve": self.curve}
        for name, result in parts.items():
            rows += [{"section": name, **row} for row in (result.rows() if result else [])]
        rows += [
            {"section": "left_out", "hypothesis": self.hypothesis, "what": what, "reason": reason}
            for what, reason in self.left_out.items()
        ]
        return rows

    def __str__(self) -> str:
        return "\n\n".join([self.hypothesis, *map(str, self.sections)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Report(Result):
    """What is known of a recording.

    Attributes:
        about: The model, the text, and how it was read.
        findings: What is known of each hypothesis, the one with the surest unit first; at least one.
        losses: The loss of the model beside those of n-gram models, on the same part of the text; None if left out.
        n_tried: How many hypotheses those that are told of were chosen from; None if they were named.
        matrix: Hypotheses and sites, hypotheses and units.
        gates: How often gates are saturated; None if left out.
        units: Every unit's best hypothesis; None if left out.
        left_out: What was left out, and why, by the names of hypotheses and parts.
        n_chars: Characters on which units were to be held; about as many were.
        n_matched: Matched units that each was to be compared with; small sites have fewer.
        seed: The seed of all draws.
    """

    about: About
    findings: Sequence[Finding]
    matrix: HypothesisMatrix
    losses: LossesBesideNgrams | None = None
    n_tried: int | None = None
    gates: GateSaturation | None = None
    units: UnitTable | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    n_chars: int
    n_matched: int
    seed: int = 0

    def rows(self) -> list[dict[str, TableCell]]:
        """Return the rows that `probe report --json` prints, each with the name of its `section`."""
        rows: list[dict[str, TableCell]] = [{"section": "about", **self.about.row()}]
        rows += [{"section": "loss", **row} for row in (self.losses.rows() if self.losses else [])]
        for finding in self.findings:
            rows += finding.rows()
        wholes: dict[str, Result | None] = {"matrix": self.matrix, "gates": self.gates, "units": self.units}
        for name, result in wholes.items():
            rows += [{"section": name, **row} for row in (result.rows() if result else [])]
        rows += [{"section": "left_out", "what": what, "reason": reason} for what, reason in self.left_out.items()]
        return rows

    @property
    def summary(self) -> list[str]:
        """What is shown, in a few sentences."""
        n = len(self.findings)
        this, it = ("This hypothesis was", "it") if n == 1 else (f"These {n} hypotheses were", "them")
        chosen = (
            f"{this} chosen among {self.n_tried} because a unit tells {it} surely, and the last five characters do "
            f"not; so it is no surprise that a unit tells {it}."
        )
        return [*([chosen] if self.n_tried is not None else []), *_summary(self.findings)]

    def __str__(self) -> str:
        about = self.about
        return "\n".join([f"{about.model}, on {about.n_chars:,} characters of {about.text_name}", *self.summary])


def with_left_out(finding: Finding, part: str, reason: str) -> Finding:
    """Return a finding that says why a part is missing."""
    return replace(finding, left_out={**finding.left_out, part: reason})


def _summary(findings: Sequence[Finding]) -> Iterator[str]:
    if len(findings) == 1:
        yield from _summary_of_one(findings[0])
        return
    n = len(findings)
    known = [finding.hypothesis for finding in findings if finding.is_shown("fit")]
    yield f"The model is shown to know more than the text alone gives away {_for_some(known, n)}."
    by_one = [finding.hypothesis for finding in findings if finding.is_shown("rank")]
    yield f"A single unit is shown to tell the answer {_for_some(by_one, n)}."
    measured = [finding for finding in findings if finding.effect is not None]
    if measured:
        used = [finding.hypothesis for finding in measured if finding.is_shown("ablate")]
        yield (
            "With the best unit held at its mean, the model is shown to predict worse where the hypothesis holds, more "
            f"than with units like it, {_for_some(used, len(measured))}."
        )


def _for_some(names: Sequence[str], n: int) -> str:
    """Say for which of n hypotheses something is shown."""
    listed = f": {', '.join(names)}" if names else ""
    return f"for {len(names) or 'none'} of {n} {'hypothesis' if n == 1 else 'hypotheses'}{listed}"


def _summary_of_one(finding: Finding) -> Iterator[str]:
    shown = {part: "is shown" if finding.is_shown(part) else "is not shown" for part in ("fit", "ablate")}
    yield f"The model {shown['fit']} to know more about {finding.hypothesis} than the text alone gives away."
    yield f"{'A' if finding.is_shown('rank') else 'No'} single unit is shown to tell it."
    if finding.effect is not None:
        yield (
            f"With the best unit held at its mean, the model {shown['ablate']} to predict worse where the hypothesis "
            "holds, more than with units like it."
        )

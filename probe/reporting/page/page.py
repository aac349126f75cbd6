"""A report as one HTML file that needs no network: all that comes from a text or a file stays text."""

import base64
import gzip
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

import probe
from activations.files import replacing
from analyses.curves import N_LAST
from analyses.passages.effects import CONTRAST
from analyses.profiling.unit_profile import UnitProfile
from analyses.story_results import NOT_SHOWN, SHOWN, Section
from probe.evaluation import LossesBesideNgrams
from probe.html.interval_bars import Measured
from probe.html.tables import Cell, pairs_table, table, text_html
from probe.reporting.content import MORE_OUTSIDE, Finding, Report
from probe.reporting.inputs import Inputs
from probe.reporting.page.charts import curve_chart, gates_chart, matrix_chart, profile_chart
from probe.viewer.page.page import file_text as viewer_file
from probe.viewer.page.tiles import container_of
from probe.viewer.text_view import TextView

_MOST_UNITS = 100  # of the table of all units
_ANSWERS = {SHOWN: "yes", NOT_SHOWN: "not shown", MORE_OUTSIDE: "elsewhere", None: "–"}


def report_page(report: Report, inputs: Inputs | None = None) -> str:
    """Return a report as an HTML page that loads nothing from anywhere.

    Args:
        report: The report.
        inputs: What it was made from, for the commands that make its numbers again; None is `activations.h5` and
            `model.pt`.
    """
    inputs = inputs or Inputs(source=["activations.h5"], model=["--model", "model.pt"])
    script = viewer_file("view.js") + resource_text("report.js")
    commands = _commands(report, inputs)
    template = Environment(autoescape=True).from_string(resource_text("report.html"))
    return template.render(
        report=report,
        about=report.about,
        title=f"What {report.about.model_name} knows of {report.about.text_name}".encode("utf-8", "replace").decode(),
        version=probe.__version__,
        style=viewer_file("view.css") + resource_text("report.css"),
        script=script,
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        summary=report.summary,
        overview=Markup(table(_overview(report))),
        facts=Markup(pairs_table(_facts(report))),
        losses=Markup(table(_losses(report.losses))) if report.losses else "",
        loss_sentence=_capitalised(f"{report.losses}.") if report.losses else "",
        excerpt=Markup("\n".join(map(text_html, report.about.excerpt.split("\n")))),
        matrix=matrix_chart(report.matrix),
        findings=[_finding(finding, inputs, f"view-{n}", report) for n, finding in enumerate(report.findings, 1)],
        gates=gates_chart(report.gates) if report.gates else "",
        units=Markup(table(_units(report))) if report.units else "",
        unit_sentences=_unit_sentences(report),
        left_out=list(report.left_out.items()),
        commands=commands,
    )


def write_report(report: Report, path: Path | str, inputs: Inputs | None = None) -> None:
    """Write a report as an HTML page, whole or not at all.

    Args:
        report: The report.
        path: The file.
        inputs: What it was made from; see `report_page`.

    Raises:
        ActivationError: If the file cannot be written.
    """
    with replacing(Path(path)) as temporary:
        temporary.write_text(report_page(report, inputs), encoding="utf-8")


def resource_text(name: str) -> str:
    """Return the content of a file of this folder, such as `report.css`."""
    return resources.files("probe.reporting.page").joinpath(name).read_text(encoding="utf-8")


def anchor_of(hypothesis: str) -> str:
    """Return the name of the section of a hypothesis, which stands in links."""
    return "h-" + hashlib.sha256(hypothesis.encode("utf-8", "replace")).hexdigest()[:8]


def command_html(command: str) -> Markup:
    """Return a command that can be copied."""
    return Markup('<div class="command"><code>{}</code></div>').format(command)


def _overview(report: Report) -> Mapping[str, Sequence[Cell]]:
    """Return the columns of the table of all hypotheses."""
    findings = report.findings
    return {
        "hypothesis": [
            Markup('<a href="#{}"><bdi>{}</bdi></a>').format(anchor_of(finding.hypothesis), finding.hypothesis)
            for finding in findings
        ],
        "score": ["R², r" if finding.kind == "numeric" else "AUC" for finding in findings],
        "best probe": [_in_short(_of_probe(finding.probe)) for finding in findings],
        "at": [finding.probe.site for finding in findings],
        "text alone": [
            None if finding.control is None else _in_short(_of_probe(finding.control)) for finding in findings
        ],
        "known?": [_ANSWERS[finding.answer("fit")] for finding in findings],
        "best unit": [_in_short(_of_unit(finding)) for finding in findings],
        "which": [str(finding.best_unit) for finding in findings],
        "used?": [_ANSWERS[finding.answer("ablate")] for finding in findings],
    }


def _in_short(measured: Measured) -> str:
    """Write a score and its interval in few characters.

    >>> _in_short(Measured(value=0.9123, low=0.88, high=1.0))
    '.912 (.880–1.000)'
    >>> _in_short(Measured(value=-10.25, low=math.nan, high=math.nan))
    '−10.250 (no interval)'
    """
    value = _without_zero(measured.value)
    ends = f"{_without_zero(measured.low)}–{_without_zero(measured.high)}" if measured.has_interval else "no interval"
    return f"{value} ({ends})"


def _without_zero(score: float) -> str:
    return "–" if math.isnan(score) else re.sub(r"^(-?)0(?=\.)", r"\1", f"{score:.3f}").replace("-", "−")


def _of_probe(result: Any) -> Measured:
    low, high = result.interval
    return Measured(value=result.score, low=low, high=high, chance=0.5 if result.measure == "auc" else 0.0)


def _of_unit(finding: Finding, number: int = 0) -> Measured:
    ranked = finding.best[number]
    chance = 0.0 if finding.ranking.measure == "r" else 0.5
    return Measured(value=ranked.held_out, low=ranked.low, high=ranked.high, chance=chance)


def _facts(report: Report) -> Mapping[str, Cell]:
    about = report.about
    return {
        "model": about.model,
        "file": about.model_name,
        "units looked at": _sites_text(report),
        "characters it knows": about.n_vocabulary,
        "text": about.text_name,
        "characters read": about.n_chars,
        "documents": about.n_documents,
    }


def _sites_text(report: Report) -> str:
    """Say how many units there are at each site that was looked at."""
    numbers: dict[str, int] = {}
    for ranked in report.findings[0].ranking.units:
        numbers[str(ranked.unit.site)] = numbers.get(str(ranked.unit.site), 0) + 1
    return f"{sum(numbers.values()):,}: {', '.join(f'{n} at {site}' for site, n in sorted(numbers.items()))}"


def _losses(losses: LossesBesideNgrams) -> Mapping[str, Sequence[Cell]]:
    return {
        "model": [loss.model for loss in losses.evaluations],
        "nats per character": [
            Measured(value=loss.nats_per_char, low=loss.low, high=loss.high) for loss in losses.evaluations
        ],
    }


def _finding(finding: Finding, inputs: Inputs, view_id: str, report: Report) -> Mapping[str, Any]:
    """Return what the template shows of a hypothesis."""
    command = inputs.command
    unit, name = str(finding.best_unit), finding.hypothesis
    prevalence = finding.prevalence
    shown: dict[str, Any] = {
        "anchor": anchor_of(name),
        "hypothesis": name,
        "meaning": finding.meaning,
        "prevalence": "" if prevalence is None else f"{prevalence:.1%}",
        "unit": unit,
        "probe_site": finding.probe.site,
        "sections": [_section(section, finding, inputs, report) for section in finding.sections],
        "left_out": finding.left_out,
    }
    if finding.profile is not None:
        shown |= {
            "profile": profile_chart(finding.profile),
            "profile_caption": _profile_caption(finding.profile),
            "profile_command": command_html(command("plot", "unit", unit, "-H", name, with_sites=False)),
        }
    if finding.passage is not None:
        span = f"{finding.passage.start}:{finding.passage.start + len(finding.passage.text)}"
        words = ["view", name, "--unit", unit]
        shown |= {
            "view": _view(finding.passage, view_id),
            "view_command": command_html(command(*words, last=["--range", span], with_sites=False)),
        }
    if finding.curve is not None:
        curve_words = ["curve", name, "--sites", finding.probe.site, "--most", str(len(finding.curve.units))]
        curve_words += ["--seed", str(report.seed)]
        shown |= {
            "curve": curve_chart(finding.curve),
            "curve_caption": f"The held-out score of a probe of the best 1, 2, 4, … units of {finding.probe.site}, "
            f"which were chosen one by one in training; dashed, a probe of the last {N_LAST} characters alone.",
            "curve_command": command_html(command(*curve_words, with_sites=False)),
        }
    return shown


def _profile_caption(profile: UnitProfile) -> str:
    """Say what the panels show, and how long the unit remembers."""
    panels = "Left: how often the unit has each value, where the label is True and where it is not."
    if profile.events:
        panels += (
            " Beside it: its mean around the characters where the label begins, and where it ends, with 95 % bands."
        )
    else:
        panels = "Left: how often the unit has each value; its mean over the label; and its autocorrelation."
    constant = profile.time_constant
    memory = "for more than 256 characters" if math.isinf(constant) else f"for {constant:.0f} characters"
    notes = [
        note if note.startswith(profile.hypothesis) else _capitalised(note)
        for note in profile.notes
        if "autocorrelation" not in note and "gates" not in note
    ]
    told = [panels, f"It remembers {memory}: so long is its autocorrelation over 1/e."]
    return " ".join([*told, *(f"{note}." for note in notes)])


def _section(section: Section, finding: Finding, inputs: Inputs, report: Report) -> Mapping[str, Any]:
    tables = {"fit": _probes_table, "rank": _ranking_table, "ablate": _effects_table}
    name = finding.hypothesis
    words: dict[str, list[str]] = {
        "fit": ["fit", name, "--controls", "chars,position", "--seed", str(report.seed)],
        "rank": ["rank", name, "--top", str(len(finding.best))],
        "ablate": ["ablate", name, "--units", str(finding.best_unit), *_ablation_words(report)],
    }
    is_ablation = section.part == "ablate"
    return {
        "part": section.part,
        "question": section.question,
        "answer": section.answer,
        "is_shown": section.answer == SHOWN,
        "sentences": _sentences(section, finding),
        "table": Markup(table(tables[section.part](finding))),
        "command": command_html(
            inputs.command(*words[section.part], with_model=is_ablation, with_sites=not is_ablation)
        ),
    }


def _sentences(section: Section, finding: Finding) -> list[str]:
    """Return what is said above the table of a section."""
    if section.part == "rank":
        ordered = "Units are in the order of their scores in training, the best first; the scores here are held out."
        return [ordered, *(_capitalised(f"{note}.") for note in finding.ranking.notes)]
    if section.part != "ablate" or finding.ablation is None:
        return list(section.sentences)
    end = next(effect for effect in finding.ablation.effects if effect.where == "end")
    if math.isnan(end.effect):
        return list(section.sentences)
    interval = "no interval" if math.isnan(end.low) else f"{end.low:+.3f} to {end.high:+.3f}"
    return [*section.sentences, f"At the last character where it holds, it changes by {end.effect:+.3f} ({interval})."]


def _ablation_words(report: Report) -> list[str]:
    return ["--chars", str(report.n_chars), "--matched", str(report.n_matched), "--seed", str(report.seed)]


def _probes_table(finding: Finding) -> Mapping[str, Sequence[Cell]]:
    probes = finding.probes
    measure = "R²" if finding.kind == "numeric" else "AUC"
    columns: dict[str, list[Cell]] = {
        "what the probe sees": [probe.site for probe in probes],
        f"held-out {measure}": [_of_probe(probe) for probe in probes],
    }
    if finding.kind != "numeric":
        columns["accuracy"] = [probe.accuracy for probe in probes]
        columns["majority"] = [probe.majority_accuracy for probe in probes]
        columns["F1"] = [probe.f1 for probe in probes]
    return columns


def _ranking_table(finding: Finding) -> Mapping[str, Sequence[Cell]]:
    measure = "r" if finding.ranking.measure == "r" else "AUC"
    where = "where the number is high, it is" if finding.kind == "numeric" else "where it holds, the unit is"
    best = finding.best
    return {
        "unit": [str(ranked.unit) for ranked in best],
        f"held-out {measure}": [_of_unit(finding, number) for number in range(len(best))],
        "q": [_p_text(ranked.q) for ranked in best],
        where: ["high" if ranked.direction > 0 else "low" for ranked in best],
    }


def _effects_table(finding: Finding) -> Mapping[str, Sequence[Cell]]:
    effects = [] if finding.ablation is None else list(finding.ablation.effects)
    predicted = "" if finding.ablation is None else finding.ablation.predicted_characters
    where = {
        CONTRAST: "where it holds, less where it does not",
        "all": "everywhere",
        "inside": "where it holds",
        "outside": "where it does not",
        "end": "at its last character",
        "predicted": f"before {', '.join(map(repr, predicted[:5]))}" if predicted else "before what it predicts",
    }
    return {
        "characters": [where.get(effect.where, effect.where) for effect in effects],
        "the loss of the next character grows by, in nats": [
            Measured(value=effect.effect, low=effect.low, high=effect.high, chance=0.0) for effect in effects
        ],
        "with matched units by": [_decimals(effect.matched) for effect in effects],
        "p": [_p_text(effect.p) for effect in effects],
    }


def _view(view: TextView, view_id: str) -> Mapping[str, Any]:
    data = base64.b64encode(gzip.compress(container_of(view), mtime=0)).decode()
    return {"id": view_id, "data": data}


def _units(report: Report) -> Mapping[str, Sequence[Cell]]:
    units = report.units.units[:_MOST_UNITS] if report.units is not None else ()
    return {
        "unit": [str(unit.unit) for unit in units],
        "hypothesis": [unit.hypothesis for unit in units],
        "held-out AUC or r": [
            Measured(value=unit.held_out, low=unit.low, high=unit.high, chance=0.0 if unit.measure == "r" else 0.5)
            for unit in units
        ],
        "q": [_p_text(unit.q) for unit in units],
        "memory, in characters": [_memory(unit.time_constant) for unit in units],
        "time near its lowest value": [_decimals(unit.left_saturated) for unit in units],
        "near its highest": [_decimals(unit.right_saturated) for unit in units],
    }


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _decimals(number: float) -> Markup:
    """Write a number with three decimals, which no line is broken in."""
    return _unbroken("–" if math.isnan(number) else f"{number:.3f}".replace("-", "−"))


def _p_text(p: float) -> Markup:
    """Write a p- or q-value in two digits, which no line is broken in."""
    return _unbroken("–" if math.isnan(p) else f"{p:.2g}".replace("-", "−"))


def _memory(time_constant: float) -> Markup:
    if math.isnan(time_constant):
        return _unbroken("–")
    return _unbroken("longer than measured" if math.isinf(time_constant) else f"{time_constant:,.0f}")


def _unbroken(text: str) -> Markup:
    return Markup('<span class="unbroken">{}</span>').format(text)


def _unit_sentences(report: Report) -> list[str]:
    if report.units is None:
        return []
    share = report.units.share()
    sentences = [
        f"Of these hypotheses: {share} at a strength (2 AUC − 1, or r) of {share.at_least:g}. Units of a network that "
        "has learned nothing tell some hypotheses, too: --untrained has its share beside this one.",
        "The q of a unit counts that its hypothesis was chosen among these, and is larger here than in their sections.",
        *report.units.notes,
    ]
    n_units = len(report.units.units)
    if n_units > _MOST_UNITS:
        sentences.append(f"These are the first {_MOST_UNITS} of {n_units:,} units; the command has all.")
    return sentences


def _commands(report: Report, inputs: Inputs) -> Mapping[str, Markup]:
    """Return the commands of whole parts."""
    names = [finding.hypothesis for finding in report.findings]
    words = [word for name in names for word in ("-H", name)]
    seed = ["--seed", str(report.seed)]
    n_curves = sum(finding.curve is not None for finding in report.findings)
    return {
        "found": command_html(inputs.command("fit", *names, "--controls", "chars,position", *seed)),
        "matrix": command_html(inputs.command("plot", "matrix", *words, *seed)),
        "gates": command_html(inputs.command("plot", "gates", with_sites=False, with_labels=False)),
        "units": command_html(inputs.command("units", *names, *seed)),
        "report": command_html(
            inputs.command("report", *names, "--curves", str(n_curves), *_ablation_words(report), with_model=True)
        ),
    }

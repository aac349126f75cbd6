"""The story of a hypothesis: what is there is shown, what is not is not, and its parts are those of the commands."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from planting import in_runs, random_model
from quoting import QuoteModel, quoted_text
from shown_html import Page, missing_numbers

import probe
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from analyses.causes.patching.patch_results import BOTH, LOG_PROB
from analyses.errors import AnalysisError
from analyses.probing.results import ProbeResult
from analyses.story import story
from analyses.story_results import NOT_MEASURED, NOT_SHOWN, SHOWN, Section, Story, tell_probes
from analyses.targets.labelling import target_of_labels
from hypotheses.labels import Labels
from probe.notebooks import html_of

tell = partial(story, n_chars=3000, n_matched=8, n_starts=40, seed=3)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Short documents, so that the model made by hand, which never forgets, reads each of them from its start."""
    rng = np.random.default_rng(7)
    return Corpus.from_texts([quoted_text(rng, 240) for _ in range(250)])


@pytest.fixture(scope="module")
def live(corpus: Corpus) -> LiveActivations:
    return LiveActivations(QuoteModel().model, corpus)


@pytest.fixture(scope="module")
def known(live: LiveActivations) -> Story:
    """The story of quotes, which one unit carries."""
    return tell(live, "in_quotes")


def by_part(found: Story) -> dict[str, Section]:
    return {section.part: section for section in found.sections}


def test_what_one_unit_carries_is_shown(known: Story) -> None:
    assert known.not_measured == {}
    answers = {part: section.answer for part, section in by_part(known).items()}
    assert {part: answers[part] for part in ("fit", "rank", "ablate", "patch")} == dict.fromkeys(
        ("fit", "rank", "ablate", "patch"), SHOWN
    )
    assert {ranked.unit.index for ranked in known.best[:2]} == {0}
    assert known.best[0].held_out == 1
    # the cell is computed from the hidden state, which is one step old when it is read again
    # in some of the starts it is then reversed for a while, by as much: the size of the share is .4, up to .7 for 18
    assert answers["impulse"] == "1 character (1 to 18)"


def test_the_whole_site_and_the_unit_that_carries_all_of_it_go_all_the_way(known: Story) -> None:
    unit, _, site = (
        next(each for each in patch.effects if (each.measure, each.direction) == (LOG_PROB, BOTH))
        for patch in known.patches
    )
    assert unit.share == pytest.approx(1, abs=1e-5)
    assert site.share == pytest.approx(1, abs=1e-5)


def test_the_parts_are_those_of_the_commands(known: Story, live: LiveActivations) -> None:
    best = [ranked.unit for ranked in known.best]
    assert [str(unit) for unit in best] == [
        str(ranked.unit) for ranked in probe.rank(live, "in_quotes", sites="hidden,cell").units[:5]
    ]
    together = probe.ablate(live, "in_quotes", best, together=True, n_chars=3000, n_matched=8, seed=3)
    ours = [replace(effect, q=0.0) for effect in known.ablations[1].effects]
    assert [str(effect) for effect in ours] == [str(replace(effect, q=0.0)) for effect in together.effects]
    once = probe.impulse(live, "in_quotes", best[:1], n_starts=40, n_matched=8, n_chars=3000, seed=3)
    assert known.impulse is not None and str(known.impulse.rows()) == str(once.rows())  # some are NaN


def test_q_values_are_over_both_ablations(known: Story) -> None:
    one, together = (ablation.effects[0] for ablation in known.ablations)
    largest = max(one.p, together.p)
    assert {one.q, together.q} == {min(2 * min(one.p, together.p), largest), largest}


def test_rows_name_their_part_and_have_all_of_it(known: Story) -> None:
    rows = known.rows()
    assert list(dict.fromkeys(row["part"] for row in rows)) == [section.part for section in known.sections]
    of_ablations = [row for row in rows if row["part"] == "ablate"]
    assert of_ablations == [{"part": "ablate", **row} for each in known.ablations for row in each.rows()]
    assert sum(row["part"] == "rank" for row in rows) == 5
    assert sum(row["part"] == "fit" for row in rows) == len(known.probes) > 4


def test_it_reads_as_short_sections(known: Story) -> None:
    blocks = str(known).split("\n\n")
    assert blocks[0] == f"The story of in_quotes, with effects on {known.n_chars:,} characters"
    assert blocks[1].startswith("Does the model know it? Shown.\n  A linear probe of 0/")
    assert [block.partition("?")[0] for block in blocks[1:]] == [
        section.question.partition("?")[0] for section in known.sections
    ]
    assert max(len(block.splitlines()) for block in blocks) <= 7


def test_an_untrained_model_is_shown_to_use_nothing(corpus: Corpus) -> None:
    model = random_model(corpus.text(0, len(corpus)), 1, n_units=16, n_layers=1, gain=2.0)
    found = by_part(tell(LiveActivations(model, corpus), "in_quotes"))
    assert {part: found[part].answer for part in ("fit", "ablate", "patch", "perturb")} == dict.fromkeys(
        ("fit", "ablate", "patch", "perturb"), NOT_SHOWN
    )
    assert "is not shown to know more than that" in " ".join(found["fit"].sentences)


def test_labels_by_chance_are_shown_nowhere_and_a_part_that_is_missing_says_why(live: LiveActivations) -> None:
    labels = Labels(in_runs(np.random.default_rng(5), len(live.corpus), 20.0), "binary")
    told = tell(live, target_of_labels(live.corpus, "by chance", labels))
    found = by_part(told)
    assert {found[part].answer for part in ("fit", "rank", "ablate", "patch")} == {NOT_SHOWN}
    assert found["perturb"].answer == NOT_MEASURED
    assert found["perturb"].sentences == [told.not_measured["perturbation"]]
    assert told.not_measured["perturbation"].startswith("no hypothesis named")
    [row] = [row for row in told.rows() if row["part"] == "perturb"]
    assert row["not_measured"] == told.not_measured["perturbation"]


@pytest.mark.parametrize("hypothesis", ["position_in_line", "char_class"])
def test_what_has_no_inside_is_refused_before_any_work(live: LiveActivations, hypothesis: str) -> None:
    with pytest.raises(AnalysisError) as refused:
        probe.ablate(live, hypothesis, "0/cell/0")
    steps: list[str] = []
    with pytest.raises(AnalysisError) as of_story:
        tell(live, hypothesis, progress=lambda done, total, note: steps.append(note))
    assert str(of_story.value) == str(refused.value) and "is not True or False" in str(refused.value)
    assert steps == []


def test_progress_ends_where_it_says(corpus: Corpus) -> None:
    seen: list[tuple[int, int]] = []
    beginning = Corpus.from_texts([corpus.text(0, 5000)])
    tell(
        LiveActivations(QuoteModel().model, beginning),
        "in_quotes",
        progress=lambda done, total, note: seen.append((done, total)),
    )
    done, totals = zip(*seen, strict=True)
    assert list(done) == sorted(done) and len(set(totals)) == 1
    assert done[0] == 0 and done[-1] == totals[0]


def test_a_probe_without_controls_shows_nothing() -> None:
    answer, [sentence] = tell_probes([ProbeResult(hypothesis="in_quotes", kind="binary", site="0/cell", auc=0.9)])
    assert answer == NOT_SHOWN
    assert sentence.startswith("A linear probe of 0/cell reads in_quotes with a held-out AUC of 0.900 (no interval)")


def test_dollars_in_the_title_make_no_formula(known: Story) -> None:
    panels = probe.plots.plot_story(replace(known, hypothesis="char == $ | char == €$"))
    assert r"char == \$ | char == €\$: the story" in probe.plots.figure_of(panels[0]).get_suptitle().replace("\n", " ")


def test_the_picture_has_four_panels(known: Story) -> None:
    panels = probe.plots.plot_story(known)
    titles = [axes.get_title(loc="left") for axes in panels]
    asked = [section.question.partition("?")[0] + "?" for section in known.sections[:4]]
    assert titles == [f"{asked[0]} Shown", f"{asked[1]} Shown", asked[2], f"{asked[3]} Shown"]
    names = [label.get_text() for label in panels[1].get_yticklabels()]
    assert names == [str(ranked.unit) for ranked in known.best]
    points = [np.asarray(line.get_xdata())[0] for line in panels[1].lines if line.get_marker() == "o"]
    assert points == [ranked.held_out for ranked in known.best]


def test_a_notebook_shows_the_picture_and_the_sections(known: Story) -> None:
    html = html_of(known)
    assert html is not None
    page = Page(html)
    assert [name for name, _ in page.elements].count("img") == 1
    for section in known.sections:
        assert section.question in page.text
        assert section.sentences[0] in page.text
    assert missing_numbers(html, known.rows()[:10]) == {}


def test_the_picture_has_effects_and_controls_with_their_intervals(known: Story) -> None:
    panels = probe.plots.plot_story(known)
    intervals = [line for line in panels[0].lines if line.get_marker() != "o" and line.get_linestyle() == "-"]
    measured = [list(probed.interval) for probed in known.probes if np.isfinite(probed.interval).all()]
    assert [np.asarray(line.get_xdata()).tolist() for line in intervals] == measured
    shown = [
        effect for each in known.ablations for effect in each.effects if effect.where in ("inside − outside", "end")
    ]
    names = [label.get_text().split(",\n") for label in panels[3].get_yticklabels()]
    words = {"inside − outside": "inside − outside", "end": "where it ends"}
    assert [words[effect.where] for effect in shown] == [where for _, where in names]
    assert names[0][0] == str(known.best[0].unit)
    points = [np.asarray(line.get_xdata())[0] for line in panels[3].lines if line.get_marker() == "o"]
    assert points == [effect.effect for effect in shown]


def test_what_has_no_interval_is_an_open_circle(known: Story) -> None:
    first, *others = known.best
    unsure = replace(
        known, ranking=replace(known.ranking, units=(replace(first, low=math.nan, high=math.nan), *others))
    )
    panel = probe.plots.plot_story(unsure)[1]
    fills = [line.get_markerfacecolor() for line in panel.lines if line.get_marker() == "o"]
    assert [fill == "white" for fill in fills] == [True] + [False] * len(others)
    assert panel.get_xlabel().endswith("; open: no interval")


def test_the_picture_says_what_was_not_measured(known: Story) -> None:
    without = replace(known, impulse=None, not_measured={"impulse": "no place"})
    panel = probe.plots.plot_story(without)[2]
    assert [text.get_text() for text in panel.texts] == [NOT_MEASURED] and not panel.axison

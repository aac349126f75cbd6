"""`probe fit`."""

from pathlib import Path

from probe.cli.options import (
    EncodingOption,
    HypothesisOption,
    JsonOption,
    LagOption,
    LanesOption,
    LanguageOption,
    ModelOption,
    NewlinesOption,
    NoCacheOption,
    PenaltyOption,
    RecordingArgument,
    ReplaceOption,
    SitesOption,
    TextOption,
)
from probe.cli.show import progress, say, show_rows
from probe.cli.sources import ask, open_source


def fit(
    hypothesis: HypothesisOption,
    recording: RecordingArgument = Path("activations.h5"),
    sites: SitesOption = None,
    penalty: PenaltyOption = 1.0,
    model: ModelOption = None,
    text: TextOption = None,
    encoding: EncodingOption = "utf-8",
    newlines: NewlinesOption = "keep",
    lanes: LanesOption = None,
    replace_unknown: ReplaceOption = False,
    lag: LagOption = 0,
    language: LanguageOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit a linear probe for each site: can the hypothesis be read out of all its units together?

    A logistic probe for labels that are True or False, a ridge regression for numbers. All scores are measured on
    held-out stretches of the text; majority is the accuracy of always saying what is more frequent.

    Example:
        probe fit --hypothesis in_quotes
    """
    from activations.blocks import select_sites
    from analyses.probes import fit as fit_probes

    with open_source(
        recording, model, text, encoding=encoding, newlines=newlines, lanes=lanes, replace_unknown=replace_unknown
    ) as source:
        chosen = select_sites(source.sites, sites)
        with progress(f"fitting probes for {hypothesis}") as report:
            asked = ask(source, hypothesis, language, no_cache, lag)
            results = fit_probes(source, asked, sites=chosen, penalty=penalty, progress=report)
    show_rows([result.row() for result in results], as_json=as_json)
    say(f"{results[0].n_train:,} training and {results[0].n_test:,} held-out characters", quiet=as_json)

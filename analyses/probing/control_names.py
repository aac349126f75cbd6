"""The controls of probes, in words and without numba: the command offers them before it loads the probes themselves."""

from collections.abc import Collection

from analyses.errors import AnalysisError

CHARS, POSITION, CONTEXT, RUNS = "chars", "position", "context", "runs"
N_CONTEXT = 3
CONTROLS = {
    CHARS: "a probe of the last 1, 5 or 20 characters of the text, without the model",
    POSITION: "a probe of the position in the text alone: its eighth, the position in the document, and its logarithm",
    CONTEXT: f"the probe of the units, for labels drawn at random for each context of {N_CONTEXT} characters, with the "
    "same label frequencies, so that only a probe that memorises contexts can predict them",
    RUNS: "the probe of the units, for the runs of the hypothesis's labels in random order; numbers are rotated "
    "instead",
}
APPLIED_CONTROLS = (RUNS,)
"""The controls that stand beside kept probes: the others are probes of their own, which have to be fitted."""


def check_controls(names: Collection[str]) -> None:
    """Refuse the names of controls that do not exist.

    Raises:
        AnalysisError: If there is such a name.
    """
    for name in names:
        if name not in CONTROLS:
            raise AnalysisError(f"there is no control {name!r}; there are {', '.join(CONTROLS)}")

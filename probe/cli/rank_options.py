"""Options of `probe rank`, and which of them go together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from typer import BadParameter, Option

from probe.cli import completion
from probe.cli.analysis_options import check_seed
from probe.cli.options import AllOption, SeedOption

_USUAL_INTERVALS = 20  # units of each site with an interval, with --units all


@dataclass(frozen=True, slots=True, kw_only=True)
class RankOptions:
    """Options of which scores rank the units, and of how much is shown."""

    top: Annotated[int, Option(min=1, help="How many units to show.")] = 10
    all_hypotheses: AllOption = False
    method: Annotated[
        str | None,
        Option(
            help="What orders the units: {methods} (default: auc, or r for numbers)",
            autocompletion=completion.methods,
            show_default=False,
        ),
    ] = None
    compare: Annotated[
        str | None,
        Option(
            help="Several methods, such as auc,weight,f1: the best units of each, side by side.",
            autocompletion=completion.methods,
            show_default=False,
        ),
    ] = None
    columns: Annotated[
        str | None,
        Option(
            help="More columns of the table, such as overall_auc,score; see --json for their names, or all.",
            show_default=False,
        ),
    ] = None
    units: Annotated[
        Literal["best", "all"],
        Option(
            help="best: --top of them, or with --all the best of each site; all: every unit, in --csv FILE or --json."
        ),
    ] = "best"
    intervals: Annotated[
        str | None,
        Option(
            help="How many of the best units of each site have an interval, or all (default: those that are shown, or "
            "20 with --units all; all with --method or --compare)",
            show_default=False,
        ),
    ] = None
    shifts: Annotated[
        int,
        Option(min=0, help="How many random circular shifts of the labels the units are compared with; 0: none."),
    ] = 99
    exact: Annotated[
        bool, Option("--exact", help="Exact AUCs also of activations in float32, by sorting them; slower.")
    ] = False
    seed: SeedOption = 0

    def check(self, hypotheses: Sequence[str], *, is_live: bool, has_rows: bool) -> None:
        """Refuse options that do not go together, before any work.

        Args:
            hypotheses: Those that are named.
            is_live: Whether a model reads the text now.
            has_rows: Whether the rows go to a file or to a script.

        Raises:
            BadParameter: If they do not.
        """
        check_seed(self.seed)
        if bool(hypotheses) == self.all_hypotheses:
            raise BadParameter("name a hypothesis, such as `probe rank in_quotes`, or ask for --all, but not both")
        if sum(map(bool, (self.all_hypotheses, self.method, self.compare))) > 1:
            raise BadParameter("--all, --method and --compare do not go together")
        if self.every_unit and not has_rows:
            raise BadParameter(
                "--units all has too many rows for a table; write them to a file with --csv, or add --json"
            )
        if self.intervals is not None and self.compare is not None:
            raise BadParameter("with --compare all units have intervals; leave out --intervals")
        if self.intervals == "all" and is_live:
            raise BadParameter("intervals of all units need a recording; make it first with `probe extract`")
        if self.intervals not in (None, "all") and not re.fullmatch("[1-9][0-9]{0,8}", self.intervals or ""):
            raise BadParameter(
                f"--intervals is {self.intervals!r}; write how many units of each site have one, such as 50, or all"
            )

    @property
    def every_unit(self) -> bool:
        """True if the rows have every unit, and not only the best."""
        return self.units == "all"

    @property
    def methods(self) -> list[str]:
        """The names of the methods to compare."""
        return [method.strip() for method in (self.compare or "").split(",")]

    @property
    def needs_model(self) -> bool:
        """True if a method needs the model itself, and not only its activations."""
        from analyses.ranking.methods.registry import METHODS

        named = [*self.methods, self.method]
        return any(method.needs_model for method in METHODS.values() if method.name in named)

    @property
    def n_intervals(self) -> int | None:
        """The number of units of each site that have an interval; None is all."""
        if self.intervals is not None:
            return None if self.intervals == "all" else int(self.intervals)
        if self.method is not None:
            return None
        n_shown = 1 if self.all_hypotheses else self.top
        return max(n_shown, _USUAL_INTERVALS) if self.every_unit else n_shown

    @property
    def drawn_seed(self) -> int | None:
        """The seed, if anything is drawn: shifts of the labels of one hypothesis at a time, or matched units."""
        is_shifted = self.shifts > 0 and not self.all_hypotheses and self.compare is None
        return self.seed if is_shifted or self.needs_model else None

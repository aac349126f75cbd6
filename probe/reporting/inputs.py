"""What a report was made from, as it is named in commands that make a number again."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The recording, or the model and the text, of a report, as words of a command.

    Attributes:
        source: Words that name the activations: `["activations.h5"]`, or `["--model", "model.pt", "--text", …]`.
        model: Words that name the model beside a recording: `["--model", "model.pt"]`; none without a model, or if the
            source names it.
        sites: The sites that are looked at, by their names; none if all are.
        labels: Options of how hypotheses label the text: `["--language", "c"]`.
    """

    source: Sequence[str]
    model: Sequence[str] = ()
    sites: Sequence[str] = ()
    labels: Sequence[str] = ()

    def command(
        self,
        *words: str,
        last: Sequence[str] = (),
        with_model: bool = False,
        with_sites: bool = True,
        with_labels: bool = True,
    ) -> str:
        """Return a command with these inputs, as it is written in a shell.

        Args:
            words: The command and its arguments, without `probe`.
            last: Options that stand after those of the source, and so win over them.
            with_model: Whether it needs the model, too.
            with_sites: Whether it takes the sites.
            with_labels: Whether it labels the text.
        """
        sites = ["--sites", ",".join(self.sites)] if self.sites and with_sites else []
        model, labels = self.model if with_model else [], self.labels if with_labels else []
        return shlex.join(["probe", *words, *self.source, *model, *sites, *labels, *last])

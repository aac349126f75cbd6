"""Scratch recordings: a live source recorded in a temporary folder, for analyses that need many passes."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from activations.blocks import Source
from activations.errors import ActivationError
from activations.progress import Progress
from activations.recordings.format.layout import SiteFacts
from activations.recordings.recorder import new_recording
from activations.recordings.recording import Recording
from activations.units import Site


class _LiveSource(Source, Protocol):
    """A source that says what a recording has to know of it."""

    @property
    def description(self) -> dict[str, Any]: ...

    def site_facts(self, site: Site) -> SiteFacts: ...


@contextmanager
def recorded_in_scratch(
    live: _LiveSource, sites: Collection[Site], most_bytes: int, progress: Progress
) -> Iterator[Recording]:
    """Record some sites in a temporary folder, which is removed afterwards.

    Args:
        live: The source.
        sites: The sites to record.
        most_bytes: The largest size of the recording.
        progress: Called with the characters done and their number.

    Raises:
        ActivationError: If the recording would be larger than `most_bytes`, or cannot be written.
    """
    n_bytes = live.selection.n_chars * sum(live.dtype(site).itemsize * live.sites[site] for site in sites)
    if n_bytes > most_bytes:
        raise ActivationError(
            f"{len(sites)} sites over {live.selection.n_chars:,} characters would need {n_bytes / 1e9:,.0f} GB of "
            f"scratch space, and {most_bytes / 1e9:,.0f} GB are allowed; choose fewer sites, a shorter "
            "text, or record it with `probe extract` where there is room"
        )
    with TemporaryDirectory(prefix="char-probe-") as folder:
        path = Path(folder) / "scratch.h5"
        _record(live, path, sites, progress)
        with Recording(path) as recording:
            yield recording


def _record(live: _LiveSource, path: Path, sites: Collection[Site], progress: Progress) -> None:
    facts = {site: live.site_facts(site) for site in live.sites if site in set(sites)}
    with new_recording(
        path, live.corpus, live.vocabulary, facts, predictions=False, selection=live.selection
    ) as recorder:
        n_done = 0
        for block in live.blocks(sites):
            recorder.write(block)
            n_done += block.n_chars
            progress(n_done, live.selection.n_chars)
        recorder.describe(**live.description)

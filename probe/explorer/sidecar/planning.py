"""Which sites a sidecar is to have: the size that it may take, and in which order sites come."""

import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from activations.units import Site
from probe.explorer.sidecar.stored_levels import n_bytes_of

MOST_BYTES = 4_000_000_000
_SHARE_OF_DISK = 10
_FIRST_SIGNALS = ("hidden", "cell")


def state_sites(sites: Iterable[Site]) -> list[Site]:
    """Return the hidden and cell sites of some sites, or all if there are none of these."""
    chosen = list(sites)
    return [site for site in chosen if site.signal in _FIRST_SIGNALS] or chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sites of a sidecar.

    Attributes:
        sites: The sites that fit in the budget, in the order in which they are made.
        left_out: Those that do not.
        n_bytes: The size of the sidecar when all are made.
        budget: The size that it may have, in bytes.
    """

    sites: tuple[Site, ...]
    left_out: tuple[Site, ...]
    n_bytes: int
    budget: int

    def sentence(self, folder: Path) -> str:
        """Say how large the sidecar will be, and which sites it will not have."""
        without = ", ".join(map(str, self.left_out))
        if not self.sites:
            return f"there is no sidecar: {without} would each take more than the {_gigabytes(self.budget)} it may have"
        rest = f", without {without}, for which {_gigabytes(self.budget)} are not enough" if self.left_out else ""
        return f"{folder} takes {_gigabytes(self.n_bytes)}{rest}"


def default_budget(folder: Path, n_bytes_there: int = 0) -> int:
    """Return the size that a sidecar may have: 4 GB, or a tenth of what is free on the disk if that is less.

    Args:
        folder: The folder of the sidecar, whose parent exists.
        n_bytes_there: The size that it has already.

    Raises:
        OSError: If the disk does not say how much is free.
    """
    return min(MOST_BYTES, (shutil.disk_usage(folder.absolute().parent).free + n_bytes_there) // _SHARE_OF_DISK)


def planned(
    sizes: Mapping[Site, int],
    n_rows: int,
    budget: int,
    asked: Mapping[Site, int] | None = None,
    complete: Collection[Site] = (),
) -> Plan:
    """Choose sites that fit in a budget: hidden of all layers, cell of all layers, then those asked for most.

    Args:
        sizes: The number of units of each site, in the order of the recording.
        n_rows: How many rows the recording has.
        budget: The size that the sidecar may have, in bytes.
        asked: How often each site was asked for.
        complete: Sites that the sidecar has already, which it keeps.
    """
    counts = asked or {}
    ranks = {signal: rank for rank, signal in enumerate(_FIRST_SIGNALS)}

    def order(site: Site) -> tuple[int, int]:
        rank = ranks.get(site.signal or "", len(ranks))
        return rank, -counts.get(site, 0) if rank == len(ranks) else 0

    chosen = [site for site in sizes if site in complete]
    n_bytes = sum(n_bytes_of(sizes[site], n_rows) for site in chosen)
    for site in sorted(
        (site for site in sizes if site not in complete), key=order
    ):  # which keeps the rest of the order
        if n_bytes + n_bytes_of(sizes[site], n_rows) <= budget:
            chosen.append(site)
            n_bytes += n_bytes_of(sizes[site], n_rows)
    left_out = tuple(site for site in sizes if site not in chosen)
    return Plan(sites=tuple(chosen), left_out=left_out, n_bytes=n_bytes, budget=budget)


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"

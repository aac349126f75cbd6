"""The sidecar of a recording: what is there is used at once, and the rest is made in the background."""

import errno
import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Thread, current_thread
from typing import Literal

from activations.errors import ActivationError
from activations.files import open_file
from activations.recordings.recording import Recording
from activations.system_errors import reason
from activations.units import Site, in_order
from analyses.errors import AnalysisError
from analyses.session import Session
from probe.explorer.sidecar.facts import (
    LOCK,
    ForeignFolderError,
    SidecarFacts,
    checksums_path,
    levels_path,
    n_bytes_in,
    read_facts,
    remove_levels,
    remove_parts,
    write_facts,
)
from probe.explorer.sidecar.making import StoppedError, make_levels
from probe.explorer.sidecar.planning import Plan, default_budget, planned
from probe.explorer.sidecar.site_scales import UnitScales
from probe.explorer.sidecar.stored_levels import DamagedLevelsError, StoredLevels

_WAIT_S = 0.2  # until it is asked again whether another process has ended
_END_S = 10.0  # in which it stops, unless a disk does not answer
_WORKS_WITHOUT = "everything works without it, more slowly"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # some network file systems

State = Literal["none", "making", "ready", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarStatus:
    """How far a sidecar is.

    Attributes:
        state: Whether there is none, it is being made, all that fits is there, or making it has failed.
        sentence: The same for people, with the size or the reason.
        progress: How much is done of what is being made, from 0 to 1.
    """

    state: State
    sentence: str = ""
    progress: float = 0.0


class Sidecar:
    """The folder `activations.h5.explorer` beside a recording, with the levels of its units. Threads may share it.

    A site that is complete is used from then on. What belongs to another recording or version is replaced, what is
    damaged is made again, and files of others are never touched. Whatever goes wrong is said in `status`, and nothing
    is raised: everything works without a sidecar.

    Attributes:
        folder: The folder.
        scales: The scales of all units, whether their levels are in it or not.
    """

    def __init__(self, session: Session, *, budget: int | None = None) -> None:
        """Open what there is of the sidecar of a recording.

        Args:
            session: The session of a recording, which must stay open until `close`.
            budget: The size that the sidecar may have, in bytes; None is 4 GB, or a tenth of the free disk.

        Raises:
            AnalysisError: If the session is not that of a recording.
        """
        if not isinstance(session.source, Recording):
            raise AnalysisError("only a recording has a sidecar, and this is a model that reads a text")
        self._session = session
        self._key = session.source.checksums_sha256
        self.folder = session.source.path.with_name(f"{session.source.path.name}.explorer")
        self.scales = UnitScales(session)
        self._lock = Lock()
        self._stored: dict[Site, StoredLevels] = {}
        self._damaged: set[Site] = set()
        self._asked: Counter[Site] = Counter()
        self._stop, self._is_wanted = Event(), False
        self._thread: Thread | None = None
        self._failure = self._waiting = ""
        self._n_done = self._n_to_do = 0
        try:
            self._budget = default_budget(self.folder, n_bytes_in(self.folder)) if budget is None else budget
            self._open_complete(read_facts(self.folder, self._session.sites))
        except (OSError, MemoryError, ForeignFolderError) as error:
            self._budget = budget or 0
            self._fail(error)

    @property
    def plan(self) -> Plan:
        """The sites that it has, and those that it will have."""
        with self._lock:
            return self._planned()

    @property
    def status(self) -> SidecarStatus:
        """How far it is."""
        with self._lock:
            plan = self._planned()
            if self._thread is not None:
                sentence = self._waiting or f"{plan.sentence(self.folder)}, and is being made"
                return SidecarStatus(
                    state="making", sentence=sentence, progress=min(self._n_done / max(self._n_to_do, 1), 1.0)
                )
            if self._failure:
                return SidecarStatus(state="failed", sentence=self._failure)
            if self._stored:
                return SidecarStatus(state="ready", sentence=plan.sentence(self.folder), progress=1.0)
            return SidecarStatus(state="none", sentence="" if plan.sites else plan.sentence(self.folder))

    def site(self, site: Site) -> StoredLevels | None:
        """Return the levels of a site; None if it has none. That it was asked for is counted."""
        with self._lock:
            self._asked[site] += 1
            return self._stored.get(site)

    def drop(self, site: Site, stored: StoredLevels) -> None:
        """Use damaged levels no longer, and make them again, if the sidecar is being made at all."""
        with self._lock:
            if self._stored.get(site) is not stored:
                return
            del self._stored[site]
            self._damaged.add(site)
        if self._is_wanted:
            self.start()

    def start(self) -> None:
        """Make in the background what is missing, unless it is being made."""
        with self._lock:
            self._is_wanted = True
            if self._thread is not None or self._failure or self._next() is None:
                return
            self._stop.clear()
            self._thread = Thread(target=self._run, name="sidecar", daemon=True)
            self._thread.start()

    def wait(self, timeout_s: float | None = None) -> SidecarStatus:
        """Wait until nothing is being made, or for some seconds, and return the status then."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return self.status

    def stop(self) -> None:
        """Stop making, and wait some seconds for its end; what is complete stays."""
        self._is_wanted = False
        self._stop.set()
        self.wait(_END_S)

    def close(self) -> None:
        """Stop making, and use the sidecar no longer."""
        self.stop()
        with self._lock:
            self._stored.clear()

    def _planned(self) -> Plan:
        return planned(self._session.sites, self._n_rows, self._budget, self._asked, self._stored)

    @property
    def _n_rows(self) -> int:
        return self._session.selection.n_chars

    def _next(self) -> Site | None:
        """Return the site to make next; None if all that fit are there. The lock is held."""
        return next((site for site in self._planned().sites if site not in self._stored), None)

    def _run(self) -> None:
        """Make one site after another, in a thread of its own."""
        try:
            with self._folder_locked():
                self._prepare()
                while (site := self._next_or_end()) is not None:
                    self._make(site)
        except StoppedError:
            pass
        except (OSError, MemoryError, ForeignFolderError, ActivationError, AnalysisError) as error:
            self._fail(error)
        finally:
            with self._lock:
                if self._thread is current_thread():
                    self._thread, self._waiting = None, ""

    def _next_or_end(self) -> Site | None:
        with self._lock:
            site = self._next()
            if site is None:
                self._thread = None  # so that what is dropped from now on starts another one
            return site

    def _prepare(self) -> None:
        """Take what another process has made meanwhile, and remove what is stale or was not finished."""
        facts = read_facts(self.folder, self._session.sites)
        if facts is None or not self._is_current(facts):
            write_facts(self.folder, SidecarFacts(key=self._key, n_rows=self._n_rows, scales={}))
            remove_levels(self.folder)
        else:
            remove_parts(self.folder)
            self._open_complete(facts)
        with self._lock:
            self._n_done = 0
            self._n_to_do = self._n_rows * sum(
                self._session.sites[site] for site in self._planned().sites if site not in self._stored
            )

    def _make(self, site: Site) -> None:
        scales = self.scales.of(site)

        def advance(n_rows: int) -> None:
            self._n_done += n_rows * self._session.sites[site]

        make_levels(self._session, site, scales, self.folder, advance, self._stop.is_set)
        with self._lock:
            complete = in_order(self._session.sites, [*self._stored, site])
        all_scales = {ready: self.scales.of(ready) for ready in complete}
        write_facts(self.folder, SidecarFacts(key=self._key, n_rows=self._n_rows, scales=all_scales))
        try:
            stored = self._open(site)
        except DamagedLevelsError as error:  # somebody else has been at it
            raise AnalysisError(str(error)) from error
        with self._lock:
            self._stored[site] = stored
            self._damaged.discard(site)

    def _open_complete(self, facts: SidecarFacts | None) -> None:
        """Open the sites that are complete, and not damaged as far as their sizes say."""
        if facts is None or not self._is_current(facts):
            return
        for site, scales in facts.scales.items():
            if site in self._stored or site in self._damaged or len(scales.steps) != self._session.sites.get(site):
                continue
            try:
                stored = self._open(site)
            except DamagedLevelsError:
                continue
            self.scales.remember({site: scales})
            with self._lock:
                self._stored[site] = stored

    def _is_current(self, facts: SidecarFacts) -> bool:
        return (facts.key, facts.n_rows) == (self._key, self._n_rows)

    def _open(self, site: Site) -> StoredLevels:
        number = list(self._session.sites).index(site)
        shape = self._session.sites[site], self._n_rows
        return StoredLevels(levels_path(self.folder, number), checksums_path(self.folder, number), shape)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, OSError | MemoryError):
            sentence = f"the sidecar {self.folder} cannot be used: {reason(error)}"
        else:
            sentence = str(error)
        with self._lock:
            self._failure = f"{sentence}; {_WORKS_WITHOUT}"

    @contextmanager
    def _folder_locked(self) -> Iterator[None]:
        """Hold the lock of the folder, which is made if there is none, as soon as no other process holds it."""
        path = self.folder / LOCK
        while True:
            self.folder.mkdir(exist_ok=True)
            with os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW), "wb") as file:
                self._wait_for_lock(file.fileno())
                if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    yield
                    return

    def _wait_for_lock(self, descriptor: int) -> None:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._waiting = f"another process is making {self.folder}"
                if self._stop.wait(_WAIT_S):
                    raise StoppedError from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                return
            else:
                self._waiting = ""
                return

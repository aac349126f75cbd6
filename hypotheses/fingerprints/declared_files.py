"""The files and folders that a hypothesis is declared to read."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_CLOCK_TICK_NS = 2_000_000_000  # of the coarsest file systems: two changes within a tick may leave the same times


class DeclaredFiles:
    """Declared files and folders: whether they have changed since the hypothesis was made, and a hash of them.

    Sizes and times show whether they have changed, so that a large file is read only when a hash is needed. Files
    that were changed within the last tick of the clock are read at once.
    """

    def __init__(self, paths: Iterable[Path], suffixes: Sequence[str] = ()) -> None:
        """Remember what the files are like now.

        Args:
            paths: Files and folders.
            suffixes: Of the files within folders that matter; empty if all do.
        """
        self.paths, self.suffixes = tuple(paths), tuple(suffixes)
        self._first_stats = self._stats()
        newest = max((time for *_, time in self._first_stats), default=0)
        is_fresh = time.time_ns() - newest < _CLOCK_TICK_NS
        self._first_digest = self.current_digest() if is_fresh else None

    def digest(self) -> str | None:
        """Return a hash of the content of all files; None if it has changed since the hypothesis was made."""
        digest = self.current_digest()
        is_same = self._first_stats == self._stats() if self._first_digest is None else self._first_digest == digest
        return digest if is_same else None

    def _files(self) -> Iterator[tuple[Path, str]]:
        """Yield all files, those in folders included, with their paths relative to what was declared."""
        for path in self.paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file != path and self.suffixes and file.suffix.lower() not in self.suffixes:
                    continue
                yield file, str(file.relative_to(path.parent))

    def _stats(self) -> list[tuple[str, int, int, int, int]]:
        stats = [(name, file.stat()) for file, name in self._files() if file.exists()]
        return [(name, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats]

    def current_digest(self) -> str:
        """Return a hash of the content of all files as they are now."""
        digest = hashlib.sha256()
        for path, name in self._files():
            content = ""
            try:
                if path.is_file():
                    with path.open("rb") as file:
                        content = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                content = f"cannot be read: {error.errno}"
            digest.update(f"{name} {content}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

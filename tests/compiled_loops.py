"""Compiled loops that pytest's workers share: each is compiled once, whichever worker needs it first.

numba's own cache is not made for this. It numbers the versions of a function and saves their index before the version
itself, so that two processes that save at once may mix up two versions, and a third may load an outdated one. Programs
that tests start use numba's own cache, in a folder for each worker. `opened_files` knows compiled code by the name of
the shared folder.
"""

import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:
    compiled = Path(__file__).parents[1] / "build" / "compiled"
    os.environ["NUMBA_CACHE_DIR"] = str(compiled / os.environ["PYTEST_XDIST_WORKER"])

from numba.core import caching


class SharedLoops(caching.IndexDataCacheFile):
    """The compiled versions of a function, which several processes may save and load at once.

    A version's file is named after all that it depends on, so there is no index. It appears complete or not at all.
    """

    def __init__(self, folder: Path, cache_path: str, filename_base: str, source_stamp: object) -> None:
        shared = folder / Path(cache_path).name
        shared.mkdir(parents=True, exist_ok=True)
        super().__init__(str(shared), filename_base, source_stamp)

    def save(self, key: tuple[Any, ...], data: object) -> None:
        self._save_data(self._name(key), data)

    def load(self, key: tuple[Any, ...]) -> Any:
        """Return what was saved under a key from the same source by the same numba, or None."""
        try:
            return self._load_data(self._name(key))
        except FileNotFoundError:
            return None

    def _name(self, key: tuple[Any, ...]) -> str:
        facts = repr((self._version, self._source_stamp, key))
        return str(self._data_name(int(sha256(facts.encode()).hexdigest()[:16], 16)))


if "PYTEST_XDIST_WORKER" in os.environ:
    setattr(caching, "IndexDataCacheFile", partial(SharedLoops, compiled / "__pycache__"))  # noqa: B010

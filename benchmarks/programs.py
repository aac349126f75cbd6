"""Unpack the programs that `languages.py` measures, from source packages, and check that they are the same.

`programs.json` says which: each archive's package, version and sha256, the files by patterns of their paths, and for
each language the number of files and characters and the sha256 of the whole. Fetch the archives into a folder with
`apt-get source --download-only PACKAGE=VERSION` (origin `debian`) and `npm pack PACKAGE@VERSION` (origin `npm`).

python benchmarks/programs.py ARCHIVES PROGRAMS
"""

import argparse
import hashlib
import json
import tarfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).with_name("programs.json")


def unpack(archive: Path, patterns: dict[str, list[str]], folder: Path) -> None:
    """Copy the files of an archive whose paths, without their first part, match the patterns of a language.

    Files that are not UTF-8 are left out. `folder/LANGUAGE/ARCHIVE/PATH` is where a file is put.

    Args:
        archive: A tar file, compressed or not.
        patterns: For each language, patterns of paths; those that begin with `!` leave out.
        folder: Where to put the files.
    """
    name = archive.name.split("_")[0].removesuffix(".tgz")
    with tarfile.open(archive) as members:
        for member in members:
            path = member.name.partition("/")[2]
            for language in (language for language, wanted in patterns.items() if is_wanted(path, wanted)):
                file = members.extractfile(member) if member.isfile() else None
                if file is None or ".." in path.split("/"):
                    continue
                raw = file.read()
                try:
                    raw.decode("utf-8")
                except UnicodeDecodeError:
                    continue
                target = folder / language / name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(raw)


def is_wanted(path: str, patterns: list[str]) -> bool:
    """Return whether a path matches a pattern, and none that begins with `!`."""
    left_out = any(fnmatch(path, pattern[1:]) for pattern in patterns if pattern.startswith("!"))
    return not left_out and any(fnmatch(path, pattern) for pattern in patterns)


def summary(folder: Path) -> dict[str, Any]:
    """Return the number of files and characters in a folder, and the sha256 of all its files in the order of paths."""
    paths = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.as_posix())
    digest, n_chars = hashlib.sha256(), 0
    for path in paths:
        raw = path.read_bytes()
        digest.update(raw)
        n_chars += len(raw.decode("utf-8"))
    return {"n_files": len(paths), "n_chars": n_chars, "sha256": digest.hexdigest()}


def main() -> None:
    """Unpack every archive of the manifest, and say which language differs from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", type=Path)
    parser.add_argument("programs", type=Path)
    arguments = parser.parse_args()
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    for archive in manifest["archives"]:
        path = arguments.archives / archive["file"]
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != archive["sha256"]:
            print(f"{path} is missing or another version than {archive['version']}; its files are left out")
            continue
        unpack(path, archive["files"], arguments.programs)
    for language, expected in manifest["languages"].items():
        unpacked = summary(arguments.programs / language)
        verdict = "as measured" if unpacked == expected else f"not as measured, which were {expected}"
        print(f"{language}: {unpacked['n_files']} files, {unpacked['n_chars']:,} characters, {verdict}")


if __name__ == "__main__":
    main()

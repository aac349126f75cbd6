"""The control groups that this process is in, which limit its processors and its memory, in both versions of Linux."""

from pathlib import Path


def folders_of_groups(controller: str, processes: Path = Path("/proc/self")) -> list[Path]:
    """Return the folders of the control groups of a process that may limit it, and of those that these are in.

    A group cannot use more than those that it is in, so that the smallest limit counts. Only what is mounted in a
    container is seen there.

    Args:
        controller: What version 1 calls what is limited: `cpu` or `memory`. In version 2, one group limits both.
        processes: The folder that has the files `cgroup` and `mountinfo` of the process.
    """
    try:
        memberships = _memberships((processes / "cgroup").read_text(), controller)
        mounts = (processes / "mountinfo").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [
        folder
        for mount in mounts
        if (mounted := _mounted(mount, controller)) and (path := memberships.get(mounted[0])) is not None
        for folder in _folders(mounted[1], mounted[2], path)
    ]


def _memberships(cgroup: str, controller: str) -> dict[str, str]:
    """Return the group of a process in the hierarchy of a controller in version 1, and in `` of version 2."""
    groups = {}
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            groups[controller if controllers else ""] = path
    return groups


def _mounted(line: str, controller: str) -> tuple[str, str, Path] | None:
    """Return the hierarchy, the group at its top, and the folder, of a line of `mountinfo` about control groups."""
    before, _, after = line.partition(" - ")
    fields, kind = before.split(" "), after.split(" ")
    if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
        return None
    if kind[0] == "cgroup" and controller not in kind[2].split(","):
        return None
    return "" if kind[0] == "cgroup2" else controller, fields[3], Path(fields[4].replace("\\040", " "))


def _folders(top: str, folder: Path, group: str) -> list[Path]:
    """Return the folders of a group and of those that it is in, as far as they are mounted in this container."""
    below = Path(group.removeprefix(top.rstrip("/")) if group.startswith(top) else "").parts
    names = [name for name in below if name not in ("/", "..")]
    return [folder.joinpath(*names[:n]) for n in range(len(names) + 1)]

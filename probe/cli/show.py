"""The names of `probe.cli.showing`."""

from probe.cli.showing import SIGNS as SIGNS
from probe.cli.showing import Report as Report
from probe.cli.showing import TableCell as TableCell
from probe.cli.showing import progress as progress
from probe.cli.showing import say as say
from probe.cli.showing import show_rows as show_rows
from probe.cli.showing import to_standard_error as to_standard_error
from probe.cli.showing import visible as visible
from probe.cli.showing import warn as warn

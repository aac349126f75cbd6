"""Reports: all that is known of a recording, measured and written to one page."""

from probe.reporting.content import Finding as Finding
from probe.reporting.content import Report as Report
from probe.reporting.inputs import Inputs as Inputs
from probe.reporting.measuring import ReportOptions as ReportOptions
from probe.reporting.measuring import make_report as make_report
from probe.reporting.page.page import report_page as report_page
from probe.reporting.page.page import write_report as write_report

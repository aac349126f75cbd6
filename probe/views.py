"""Views of a text: its characters coloured by units, hypotheses, probes and the model's loss."""

from probe.viewer.cells import cells_of as cells_of
from probe.viewer.making import text_view as text_view
from probe.viewer.page.page import page_of as page_of
from probe.viewer.scales import Scale as Scale
from probe.viewer.scales import binary as binary
from probe.viewer.scales import classes as classes
from probe.viewer.scales import diverging as diverging
from probe.viewer.scales import probabilities as probabilities
from probe.viewer.scales import sequential as sequential
from probe.viewer.text_view import DocumentStart as DocumentStart
from probe.viewer.text_view import Guesses as Guesses
from probe.viewer.text_view import Panel as Panel
from probe.viewer.text_view import TextView as TextView
from probe.viewer.text_view import Track as Track
from probe.viewer.widget import Page as Page
from probe.viewer.widget import save_view as save_view
from probe.viewer.widget import view as view

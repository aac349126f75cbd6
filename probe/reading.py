"""Models that read a text: live activations, and recordings of them."""

from activations.reading.extraction import Extraction as Extraction
from activations.reading.extraction import LiveActivations as LiveActivations
from activations.reading.extraction import extract as extract
from activations.reading.lane_reader import Arithmetic as Arithmetic

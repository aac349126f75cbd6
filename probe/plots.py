"""Draw results as matplotlib Axes, and save figures; each picture has a file in `probe.pictures` or its own package."""

from probe.pictures.curves import plot_curves as plot_curves
from probe.pictures.edits import MOST_DRAWN as MOST_DRAWN
from probe.pictures.edits import plot_perturbation as plot_perturbation
from probe.pictures.figures import PICTURES as PICTURES
from probe.pictures.figures import check_picture as check_picture
from probe.pictures.figures import figure_of as figure_of
from probe.pictures.figures import new_axes as new_axes
from probe.pictures.figures import save_figure as save_figure
from probe.pictures.gates import plot_gates as plot_gates
from probe.pictures.impulse import plot_impulse as plot_impulse
from probe.pictures.orders import plot_orders as plot_orders
from probe.pictures.similarity import plot_similarity as plot_similarity
from probe.pictures.steering import plot_steering as plot_steering
from probe.pictures.story import plot_story as plot_story
from probe.pictures.unit_profile import plot_autocorrelation as plot_autocorrelation
from probe.pictures.unit_profile import plot_class_means as plot_class_means
from probe.pictures.unit_profile import plot_events as plot_events
from probe.pictures.unit_profile import plot_histogram as plot_histogram
from probe.pictures.unit_profile import plot_unit_profile as plot_unit_profile
from probe.training.loss_curve import plot_losses as plot_losses
from probe.training.sweep_grid import plot_sweep as plot_sweep
from probe.viewer.picture import draw_view as draw_view
from probe.viewer.picture import figure_of_view as figure_of_view
from probe.viewer.picture import plot_text as plot_text

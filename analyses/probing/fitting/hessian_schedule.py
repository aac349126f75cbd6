"""The schedule of Hessians: which probes have theirs measured in a pass, and which others can use it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Basis, Design, SparseDesign
from analyses.probing.fitting.fit_states import FitState
from analyses.probing.fitting.minimisers import Proximal
from analyses.probing.fitting.problems import SolverOptions
from analyses.probing.fitting.second_order.hessians import Hessian
from analyses.probing.fitting.second_order.newton import Newton
from analyses.probing.fitting.second_order.proximal_newton import ProximalNewton
from analyses.probing.fitting.second_order.row_samples import RowSampler
from analyses.threads import in_threads

Array = NDArray[np.float64]
_PASSES_BETWEEN = 5  # two measurements of a dense design, if it is sampled; each takes one if it is not
_PASSES_BETWEEN_FAR = 2  # the same where Hessians are cheap, and the probe is not nearly solved
_PASSES_BETWEEN_SPARSE = 10  # two measurements of a sparse design, and before the first
_PASSES_BETWEEN_NEAR = 3  # the same for a probe that is nearly solved, as only its own Hessian can show that it is
_SIMILAR = 2.0  # factor between the curvatures of probes that can use the same Hessian
_SAMPLE_BYTES = 256 << 20  # memory for samples of all probes together


class HessianSchedule:
    """Decides when Hessians are measured.

    Of probes with the same labels and rows, which differ only in their penalties, one is measured for all. Dense
    designs are sampled, which is cheap; sparse ones are summed over all rows, in as many probes as memory allows.

    Attributes:
        needs_own_hessian: Whether only a Hessian that was just measured for a probe itself can show that it is solved,
            as where the rows that it is measured at are not a sample.
    """

    def __init__(self, design: Design, basis: Basis, sampler: RowSampler, options: SolverOptions) -> None:
        self._sampler = sampler
        self._passes_before_first = options.passes_before_hessian
        self._max_products = 0  # Hessians of a sparse design that memory has room for
        if isinstance(design, SparseDesign):
            self._max_products = options.product_bytes // (8 * (design.n_columns + 1) ** 2)
        self._is_off = basis.vectors is None and not self._max_products
        self.needs_own_hessian = self._max_products > 0

    def _is_due(self, fit: FitState, n_passes: int) -> bool:
        """Return True if it is time to measure the Hessian of a probe, after `n_passes` passes."""
        last = fit.measured_in
        if self._max_products:
            is_close = fit.minimiser.is_near and bool(last)
            wait = _PASSES_BETWEEN_NEAR if is_close else _PASSES_BETWEEN_SPARSE
            return fit.objective.response.n_outputs == 1 and n_passes >= (last or 0) + wait
        if last is None:
            is_proximal = isinstance(fit.minimiser, Proximal)
            return is_proximal or fit.has_start or fit.minimiser.is_near or n_passes >= self._passes_before_first
        if fit.objective.response.kind == "numeric":
            return False  # its Hessian is the same everywhere
        if self._sampler.takes_all:
            return n_passes >= last + 1
        is_far = self._sampler.is_cheap and not fit.minimiser.is_near
        return n_passes >= last + (_PASSES_BETWEEN_FAR if is_far else _PASSES_BETWEEN)

    def expected_curvatures(self, active: Sequence[FitState], n_passes: int) -> dict[int, Array]:
        """Choose the probes whose Hessians are measured in the next pass.

        Returns:
            By the number of each, how much the second derivatives by its intercepts (n_outputs,) are expected to be.
        """
        expected: dict[int, Array] = {}
        if self._is_off:
            return expected
        n_blocks = {fit.objective.hessian_group: fit.objective.response.n_outputs for fit in active}
        self._sampler.choose_size(sum(fit.objective.response.n_outputs for fit in active), sum(n_blocks.values()))
        room = _SAMPLE_BYTES // self._sampler.n_bytes
        n_new_products = self._max_products - sum(fit.newton is not None for fit in active)
        groups = set()
        for fit in sorted(active, key=lambda fit: -1 if fit.measured_in is None else fit.measured_in):
            group, n_outputs = fit.objective.hessian_group, fit.objective.response.n_outputs
            if group in groups or not self._is_due(fit, n_passes):
                continue
            if self._max_products and fit.newton is None:
                if n_new_products <= 0:
                    continue
                n_new_products -= 1
            if not expected or n_outputs <= room:
                expected[fit.number] = np.maximum(fit.intercept_curvatures, 1e-300)
                groups.add(group)
                room -= n_outputs
        return expected

    def distribute(self, active: Sequence[FitState], n_passes: int, hessians: Mapping[int, Hessian]) -> None:
        """Give the measured Hessians to the probes that they were measured for, and to those that are similar."""
        of_group = {
            fit.objective.hessian_group: hessians[fit.number]
            for fit in active
            if fit.number in hessians and fit.minimiser.has_decreased
        }
        n_products = sum(fit.newton is not None for fit in active)
        changes: list[tuple[FitState, Hessian]] = []
        for fit in active:
            fit.is_own_hessian_new = fit.number in hessians
            hessian = of_group.get(fit.objective.hessian_group)
            if hessian is None or not fit.minimiser.has_decreased or not self._is_due(fit, n_passes):
                continue
            if self._max_products and fit.newton is None:
                if n_products >= self._max_products:
                    continue
                n_products += 1
            ratio = fit.intercept_curvatures / np.maximum(hessian.intercept_curvatures, 1e-300)
            is_similar = bool((ratio < _SIMILAR).all() and (ratio > 1 / _SIMILAR).all())
            if fit.is_own_hessian_new or is_similar:
                fit.measured_in = n_passes
                changes.append((fit, hessian))

        def newton(change: tuple[FitState, Hessian]) -> Newton | ProximalNewton:
            fit, hessian = change
            return fit.newton_of(hessian)

        for (fit, _), made in zip(changes, in_threads(newton, changes), strict=True):
            fit.set_newton(made)

"""Intervene in a model for a while: whatever it reads or writes meanwhile is changed."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from typing import Any, TypeVar

from activations.errors import ActivationError
from activations.interventions import ActiveInterventions, Change, Intervention, checked_interventions
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.site_names import AnySites, AnyUnits, select_sites, select_units
from activations.unit_changes import UnitChange
from activations.units import Site, Unit
from activations.value_ranges import check_in_range

Model = TypeVar("Model", bound=CharRNN | CharModel)


def intervene(
    model: CharRNN, where: AnyUnits | AnySites | Intervention, change: Change | None = None, *, force: bool = False
) -> AbstractContextManager[tuple[Intervention, ...]]:
    """Change values of a model for a `with` block, whatever reads or writes by it meanwhile.

    All that computes by the model is changed: live activations and recordings made of them, texts that are written,
    losses, and the model called as a function. It is undone on leaving the block, also by an exception. Blocks within
    blocks add up: the inner ones act on what the outer ones have changed, and all of them before the interventions of a
    single reading. Other models are not changed, nor deep copies of this one.

        with probe.intervene(model, "1/cell/37", probe.clamp(0.0)):
            print(probe.models.evaluate(model, corpus))

    Args:
        model: The model.
        where: A unit such as `1/cell/37`, a list of units, a site such as `1/cell`, or an `Intervention`.
        change: `clamp`, `add` or `identity`; at a site also a function of your own, if it is in an `Intervention`.
        force: Hold units also at values that they can never have.

    Returns:
        What is entered by `with`, and gives the interventions.

    Raises:
        ActivationError: If there is no such site or unit, it can never have a value at which it is to be held, or the
            model computes its steps itself.
    """
    if not isinstance(model, CharRNN):
        raise ActivationError(
            "a model of your own computes its steps itself; interventions are for models that `probe train` or "
            "`probe import` made"
        )
    if isinstance(where, Intervention):
        if change is not None:
            raise ActivationError("an Intervention has its change in it; leave out the other one")
        listed = [where]
    elif change is None:
        raise ActivationError("say what to change there, such as intervene(model, '1/cell/37', clamp(0.0))")
    else:
        listed = bind(change, model.sites, where)
    interventions = checked_interventions(listed, model.sites)
    if not force:
        for intervention in interventions:
            _check_values(intervention, model)
    return _acting(model, interventions)


def bind(change: Change, sites: Mapping[Site, int], where: AnyUnits | AnySites) -> list[Intervention]:
    """Return a change of units or of whole sites as interventions, one for each site.

    Args:
        change: The change.
        sites: How many units each site has.
        where: A unit or several, or a site or several.

    Raises:
        ActivationError: If there is no such site or unit, or the change does not fit these.
    """
    requests: list[Any] = [where] if isinstance(where, str | Site | Unit) else list(where)
    if not requests:
        raise ActivationError("name a unit or a site to intervene at, such as '1/cell/37'")
    if not any(isinstance(request, Unit) or _names_a_unit(request, sites) for request in requests):
        return [Intervention(site, change) for site in select_sites(sites, requests)]
    units = select_units(sites, requests)
    if len(set(units)) < len(units):
        raise ActivationError(f"a unit is named twice: {', '.join(map(str, units))}; name each once")
    if not isinstance(change, UnitChange):
        raise ActivationError("a function of your own changes a site; give the site, such as '1/cell', and not units")
    rows_by_site: dict[Site, list[int]] = {}
    for row, unit in enumerate(units):
        rows_by_site.setdefault(unit.site, []).append(row)
    return [
        Intervention(site, change.of_units([units[row].index for row in rows], rows, len(units)))
        for site, rows in rows_by_site.items()
    ]


def without_interventions(model: Model) -> Model:
    """Return the same model, with the same weights, on which no intervention acts."""
    if not isinstance(model, CharRNN):
        return model
    bare = copy(model)
    bare.active = ActiveInterventions()
    return bare


def acting_on(model: CharRNN | CharModel) -> tuple[Intervention, ...]:
    """Return the interventions that act on a model at present."""
    return model.interventions if isinstance(model, CharRNN) else ()


def _names_a_unit(request: object, sites: Mapping[Site, int]) -> bool:
    """Is a request, by its form, for a unit, and not for a site?"""
    if not isinstance(request, str) or request in sites:
        return False
    site, _, index = request.rpartition("/")
    return bool(site) and index.isascii() and index.isdigit()


def _check_values(intervention: Intervention, model: CharRNN) -> None:
    """Refuse to hold units at values that they can never have."""
    change = intervention.change
    if isinstance(change, UnitChange) and change.kind == "clamp":
        for value in change.numbers.ravel().tolist():
            check_in_range(intervention.site, value, model.unbounded)


@contextmanager
def _acting(model: CharRNN, interventions: tuple[Intervention, ...]) -> Iterator[tuple[Intervention, ...]]:
    """Let interventions act on a model until the block is left."""
    model.active.listed = (*model.active.listed, *interventions)
    try:
        yield interventions
    finally:
        model.active.listed = tuple(each for each in model.active.listed if each not in interventions)

"""A cached property that is computed again when other interventions act on the model."""

from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar, overload

from activations.interventions import Intervention


class Intervened(Protocol):
    """Whatever is read with interventions that may change."""

    @property
    def interventions(self) -> tuple[Intervention, ...]:
        """The interventions that act at present."""
        ...


Value = TypeVar("Value")


class by_interventions(Generic[Value]):  # noqa: N801 (as `cached_property`)
    """A property like `cached_property`, but computed again when other interventions act than the last time."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self._name = f"_last_{compute.__name__}"
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: Intervened, owner: type | None = None) -> Value: ...
    def __get__(self, instance: Intervened | None, owner: type | None = None) -> Value | Self:
        if instance is None:
            return self
        interventions = instance.interventions
        last = vars(instance).get(self._name)
        if last is None or last[0] != interventions:
            last = vars(instance)[self._name] = interventions, self._compute(instance)
        value: Value = last[1]
        return value

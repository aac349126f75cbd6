"""What stands for the values of a pickle that only running it would make."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class GlobalName:
    """The name of a class or function in a pickle, which is never looked up.

    Attributes:
        name: The name with its module, such as `torch.nn.modules.rnn.LSTM`.
    """

    name: str


@dataclass(slots=True, eq=False, repr=False)
class UnbuiltObject:
    """An object that a pickle describes, as the call that would have made it and its contents.

    Attributes:
        maker: Name of the class or function that would have been called.
        arguments: Arguments of that call.
        state: What would have been set afterwards, usually a dictionary of attributes.
        entries: Items that would have been added: by key, as in dictionaries of all kinds, or by number, as in lists.
    """

    maker: str
    arguments: tuple[Any, ...]
    state: Any = None
    entries: dict[Any, Any] = field(default_factory=dict)


def is_scripted(value: Any) -> bool:
    """Is a value a module of TorchScript, whose parameters and parts are plain attributes?"""
    return isinstance(value, UnbuiltObject) and value.maker.startswith("__torch__.")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PersistentId:
    """Something stored outside the pickle (pickle's persistent IDs), such as the numbers of a tensor.

    Attributes:
        description: What the pickle says about it.
    """

    description: Any


@dataclass(frozen=True, slots=True, eq=False)
class ObjectKey:
    """The key of a dictionary that is not a plain value.

    Attributes:
        value: The key, as far as it was read.
    """

    value: Any

    def __str__(self) -> str:
        return f"a key of kind {type(self.value).__name__}"


class SetItems(list[Any]):
    """The items of what would have been a set."""

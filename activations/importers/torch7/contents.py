"""The contents of a file of Lua Torch, by the names that it gives them."""

from typing import BinaryIO

from activations.importers.contents import ArrayRole, Contents
from activations.importers.formats.flattening import flatten
from activations.importers.torch7.conversion import Conversion
from activations.importers.torch7.networks import read_network
from activations.importers.torch7.reading import read_torch7
from activations.importers.torch7.values import Tensor

KIND = "a file of Lua Torch (.t7)"


def torch7_contents(file: BinaryIO, size: int) -> Contents:
    """Read a file of Lua Torch. What its networks compute is among the facts.

    Raises:
        ActivationError: If it is damaged, or holds more than any model needs.
    """
    read, conversion = read_torch7(file, size), Conversion()
    contents = flatten(KIND, conversion.of(read.root), size)
    names = {id(array): name for name, array in contents.arrays.items()}

    def name_of(tensor: Tensor) -> str | None:
        return names.get(id(conversion.array(tensor)))

    for name, module in conversion.networks:
        network = read_network(module, name, name_of)
        if network is not None:
            contents.facts[f"network {len(contents.facts)}"] = network
    for n_tensors, what in (
        (
            read.n_tensors - conversion.n_kept - conversion.n_repeated,
            "tensors of modules that are not learned (gradients, outputs, states, buffers)",
        ),
        (conversion.n_repeated, "tensors that are views of the weights of modules"),
    ):
        if n_tensors:
            contents.roles[f"{n_tensors} {what}"] = ArrayRole("aside")
    return contents

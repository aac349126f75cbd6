"""Hostile and damaged files of Lua Torch: one sentence, in seconds and in bounded memory."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mutants import mutant
from profiles import n_examples
from torch7_programs import (
    Node,
    char_rnn_checkpoint,
    gmodule,
    gru_graph,
    linear,
    lstm_graph,
    module,
    node,
    one_hot,
    random_weights,
    tensor,
    torch_rnn_checkpoint,
)
from torch7_writer import Lua, LuaFunction, LuaStorage, LuaTensor, Object, array_of, dumps, table

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.texts.vocab import Vocabulary

SECONDS = 5
MEGABYTES = 500
NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN = (struct.pack("<i", n) for n in range(6))
ROOT = TABLE + struct.pack("<i", 1)
BIG = 2**31 - 1


def integers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def longs(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def number(value: float) -> bytes:
    return NUMBER + struct.pack("<d", value)


def string(value: bytes) -> bytes:
    return STRING + integers(len(value)) + value


def root(*pairs: bytes) -> bytes:
    """Return a table of pairs of a key and a value, as the first object of a file."""
    return ROOT + integers(len(pairs) // 2) + b"".join(pairs)


def header(name: bytes, index: int = 2) -> bytes:
    return TORCH + integers(index, 3) + b"V 1" + integers(len(name)) + name


def view(shape: list[int], strides: list[int], start: int, storage: bytes) -> bytes:
    """Return a file that holds a tensor."""
    axes = integers(len(shape)) + longs(*shape) + longs(*strides) + longs(start)
    return root(string(b"weight"), header(b"torch.FloatTensor") + axes + storage)


def floats(n: int, n_there: int | None = None) -> bytes:
    numbers = np.ones(n if n_there is None else n_there, np.float32).tobytes()
    return header(b"torch.FloatStorage", 3) + longs(n) + numbers


def checkpoint() -> bytes:
    return dumps(char_rnn_checkpoint(lstm_graph(random_weights("ifgo", 7, 5, 2)), "abcdefg"))


def truncated(n_tenths: int) -> bytes:
    full = checkpoint()
    return full[: len(full) * n_tenths // 10]


def in_table(**entries: object) -> bytes:
    return dumps(table(**entries))


def deep(n: int) -> bytes:
    """Return tables inside one another."""
    return b"".join(TABLE + integers(n_table + 1, 1) + string(b"a") for n_table in range(n)) + NIL


def cyclic_table() -> bytes:
    cycle = Lua()
    cycle.set("again", cycle).set(cycle, cycle)
    return in_table(weights=cycle)


def cyclic_modules() -> bytes:
    outer = module("nn.Sequential")
    outer.fields.set("modules", array_of([outer, linear(np.ones((3, 2)))]))
    return in_table(net=outer)


def cyclic_graph() -> bytes:
    graph = lstm_graph(random_weights("ifgo", 7, 5, 1))
    last = dict(dict(graph.fields.pairs)["outnode"].fields.pairs)["data"]
    first = next(value for key, value in dict(last.pairs)["mapindex"].pairs if key == 1)
    dict(first.pairs)["mapindex"].pairs = [(1, last)]
    return in_table(rnn=graph)


def tables() -> bytes:
    return root(*[part for n in range(300_000) for part in (BOOLEAN + integers(1), TABLE + integers(n + 2, 0))])


def chained(n: int) -> bytes:
    """Return a graph that is a long chain of nodes."""
    start = given = node(module("nn.Identity"))
    shared = module("nn.Tanh")
    for _ in range(n):
        given = node(shared, given)
    return ended(start, given)


def wide(n: int) -> bytes:
    """Return a graph in which a node takes its inputs from many others."""
    start, shared = node(module("nn.Identity")), module("nn.Tanh")
    return ended(start, *(node(shared, start) for _ in range(n)))


def ended(start: Node, *outputs: Node) -> bytes:
    """Return a file of a graph that has one input, and nothing else than its nodes."""
    first, last = node(None, input=Lua()), node(None, *outputs, input=Lua())
    start.index.set(1, first.data)
    ends = {name: Object("nngraph.Node", table(data=end.data)) for name, end in (("innode", first), ("outnode", last))}
    return dumps(table(rnn=Object("nn.gModule", table(**ends))))


def doubled(n: int, *, narrow: bool) -> bytes:
    """Return a graph whose sums have two terms that are sums themselves, and so on."""
    inputs = [node(module("nn.Identity")) for _ in range(2)]
    value = node(module("nn.CAddTable"), node(linear(np.ones((4, 7))), node(one_hot(7), inputs[0])))
    for _ in range(n):
        both = node(module("nn.Identity"), value)
        value = node(module("nn.CAddTable"), both, node(module("nn.Identity"), value))
    if narrow:
        value = node(module("nn.Narrow", dimension=2, index=1, length=2), value)
    top = node(module("nn.Tanh"), value)
    return in_table(rnn=gmodule(inputs, [top, node(linear(np.ones((7, 4))), top)]))


def nested_modules(n: int) -> bytes:
    made = linear(np.ones((3, 2)))
    for _ in range(n):
        made = module("nn.Sequential", modules=array_of([made]))
    return in_table(net=made)


def without_end(name: str, value: object) -> bytes:
    """Return a graph whose first or last node is something else."""
    graph = lstm_graph(random_weights("ifgo", 7, 5, 1))
    graph.fields.pairs = [(key, value if key == name else kept) for key, kept in graph.fields.pairs]
    return in_table(rnn=graph)


def with_weight(change: Callable[[LuaTensor], None]) -> bytes:
    """Return a checkpoint whose read-out is changed."""
    graph = gru_graph(random_weights("rzn", 7, 5, 1))
    value = char_rnn_checkpoint(graph, "abcdefg")
    nodes = [dict(place.fields.pairs)["data"] for _, place in dict(graph.fields.pairs)["forwardnodes"].pairs]
    named = [data for data in nodes if any(key == "name" for key, _ in dict(data.pairs)["annotations"].pairs)]
    change(dict(dict(named[0].pairs)["module"].fields.pairs)["weight"])
    return dumps(value)


def reshaped(weight: LuaTensor) -> None:
    weight.shape = (5, 7)


def not_finite(weight: LuaTensor) -> None:
    assert weight.storage is not None
    weight.storage.numbers[weight.start] = np.nan


def many_views() -> bytes:
    """Return ten thousand tensors that are all of one large storage."""
    storage = LuaStorage("Float", np.ones(100_000))
    return in_table(parts=array_of([LuaTensor(storage, (100_000 - n,), kind="Float") for n in range(10_000)]))


def looked_at_again_and_again() -> bytes:
    """Return tables inside one another that claim to be long, each of which begins with numbers."""
    start = integers(300_000) + number(1) + number(2) + number(3)
    return b"".join(TABLE + integers(n + 1) + start for n in range(20_000)) + bytes(24 * 300_000)


def long_table() -> bytes:
    entries = np.zeros(2_100_000, [("a", "<i4"), ("key", "<f8"), ("b", "<i4"), ("value", "<f8")])
    entries["a"] = entries["b"] = 1
    entries["key"] = np.arange(1, len(entries) + 1)
    return root(string(b"losses"), TABLE + integers(2, len(entries)) + entries.tobytes())


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: root(), "holds no arrays"),
    "only its beginning": (lambda: ROOT, "a length goes beyond its end"),
    "truncated in a number": (lambda: root(string(b"a"), number(1))[:-3], "a length goes beyond its end"),
    **{f"truncated at {n} tenths": (partial(truncated, n), "truncated") for n in range(1, 10)},
    "negative length of a string": (lambda: root(STRING + integers(-5) + b"abc", NIL), "a length goes beyond"),
    "huge length of a string": (lambda: root(STRING + integers(BIG) + b"abc", NIL), "a length goes beyond"),
    "negative length of a table": (lambda: ROOT + integers(-1), "a table has more entries than there are"),
    "huge length of a table": (lambda: ROOT + integers(BIG) + bytes(1000), "a table has more entries than there are"),
    "a table of nothing": (lambda: ROOT + integers(200) + bytes(2000), "an entry without a key"),
    "a key that is no number": (lambda: root(number(float("nan")), number(1)), "an entry without a key"),
    "a key twice": (lambda: root(string(b"a"), number(1), string(b"a"), number(2)), "two entries of the same key"),
    "a key twice among numbers": (lambda: root(*[number(1)] * 40), "two entries of the same key"),
    "an unknown type": (lambda: root(string(b"a"), integers(9, 2)), "there is no type 9"),
    "a negative type": (lambda: root(string(b"a"), integers(-1)), "there is no type -1"),
    "negative number of axes": (lambda: root(string(b"a"), header(b"torch.FloatTensor") + integers(-1)), "-1 axes"),
    "huge number of axes": (lambda: root(string(b"a"), header(b"torch.FloatTensor") + integers(BIG)), "axes"),
    "a storage that is not there": (lambda: view([2], [1], 1, floats(2**40, 2)), "a storage goes beyond its end"),
    "a negative storage": (lambda: view([2], [1], 1, floats(-1, 2)), "a storage goes beyond its end"),
    "a storage of 2^62 numbers": (lambda: view([2], [1], 1, floats(2**62, 2)), "a storage goes beyond its end"),
    "an offset of 0": (lambda: view([2], [1], 0, floats(2)), "takes numbers that its storage does not have"),
    "a huge offset": (lambda: view([2], [1], 2**62, floats(2)), "takes numbers that its storage does not have"),
    "an offset behind the storage": (lambda: view([2, 2], [2, 1], 2, floats(4)), "takes more than the 4 numbers"),
    "a negative size": (lambda: view([-2, -2], [2, 1], 1, floats(4)), "takes numbers that its storage does not"),
    "a huge size": (lambda: view([2**62, 2**62], [0, 0], 1, floats(4)), "takes numbers that its storage does not"),
    "a negative stride": (lambda: view([2, 2], [-2, 1], 3, floats(4)), "takes numbers that its storage does not have"),
    "a huge stride": (lambda: view([2, 2], [2**62, 1], 1, floats(4)), "takes numbers that its storage does not have"),
    "a tensor that repeats a number": (lambda: view([4, 4], [0, 0], 1, floats(4)), "takes more than the 4 numbers"),
    "a table for a storage": (lambda: view([2], [1], 1, TABLE + integers(3, 0)), "a tensor has no storage"),
    "a tensor for its own storage": (lambda: view([2], [1], 1, TORCH + integers(2)), "a tensor has no storage"),
    "unknown numbers": (lambda: root(string(b"a"), header(b"torch.QuantumStorage") + longs(1)), "torch.QuantumStorage"),
    "numbers of no kind": (lambda: root(string(b"a"), header(b"torch.Storage") + longs(1)), "kind torch.Storage"),
    "an object without attributes": (
        lambda: root(string(b"a"), header(b"tds.Hash") + number(3)),
        "objects of the class tds.Hash are written in an unknown way",
    ),
    "a class with a long name": (
        lambda: root(string(b"a"), header(b"\n\x1b[31mnn." + b"x" * 1_000_000) + number(1)),
        "are written in an unknown way",
    ),
    "a function of huge code": (lambda: root(string(b"f"), integers(8, 2, BIG)), "a length goes beyond its end"),
    "an old function of huge code": (lambda: root(string(b"f"), integers(6, BIG)), "a length goes beyond its end"),
    "a function that holds itself": (lambda: in_table(f=self_holding()), "holds no arrays"),
    "tables inside one another": (lambda: deep(200_000), "nested deeper than any model's"),
    "fewer tables inside one another": (lambda: deep(5_000), "nested deeper than any model's"),
    "a table that holds itself": (cyclic_table, "holds no arrays"),
    "modules that hold themselves": (cyclic_modules, "is not read"),
    "a graph with a cycle": (cyclic_graph, "the graph of a nn.gModule has a cycle"),
    "a graph without a beginning": (lambda: without_end("innode", None), "a nn.gModule has no nodes"),
    "a graph without an end": (lambda: without_end("outnode", 5), "a nn.gModule has no nodes"),
    "a graph without anything": (lambda: in_table(rnn=Object("nn.gModule", Lua()), w=tensor([[1.0]])), "no recurrent"),
    "a long graph": (lambda: chained(9_000), "a gate is not the sum of two linear layers"),
    "a longer graph": (lambda: chained(11_000), "nested deeper than any model's"),
    "a wide graph": (lambda: wide(11_000), "has more than 10,000 nodes"),
    "sums of sums": (lambda: doubled(60, narrow=False), "a sum of more than 20 terms"),
    "rows of sums of sums": (lambda: doubled(60, narrow=True), "compute more than any model needs"),
    "rows of sums, not as deep": (lambda: doubled(40, narrow=True), "a sum of more than 20 terms"),
    "modules inside one another": (lambda: nested_modules(1000), "nested deeper than any model's"),
    "fewer modules inside one another": (lambda: nested_modules(40), "nested deeper than any model's"),
    "tables by the million": (tables, "500,000 parts"),
    "strings by the million": (lambda: root(*[string(b"%07d" % n) for n in range(600_000)]), "500,000 parts"),
    "truth values by the million": (lambda: root(*[BOOLEAN + integers(1)] * 1_200_000), "500,000 parts"),
    "numbers by the million": (long_table, "its tables have more than 2,000,000 numbers"),
    "numbers looked at again and again": (looked_at_again_and_again, "an entry without a key"),
    "many views of one storage": (many_views, "its arrays are much larger than itself"),
    "ten values": (lambda: root() + b"".join(TABLE + integers(n, 0) for n in range(2, 11)), "more than 8 times"),
    "bytes behind its end": (lambda: root() + b"\xff" * 100, "there is no type -1"),
    "a read-out of another shape": (lambda: with_weight(reshaped), "takes 7 inputs"),
    "a weight that is no number": (lambda: with_weight(not_finite), "has numbers that are infinite or none at all"),
    "ASCII without numbers": (lambda: b"3\n1\nxyz\n", "whole numbers are missing"),
    "ASCII that is truncated": (
        lambda: (lambda full: full[: len(full) // 2])(dumps(table(a=tensor(np.ones(99))), ascii=True)),
        "truncated",
    ),
    "ASCII with a huge number": (lambda: b"3\n1\n" + b"9" * 1_000_000 + b"\n", "whole numbers are missing"),
    "ASCII with a huge table": (lambda: b"3\n1\n2147483647\n2\n1\na\n0\n", "a table has more entries than there are"),
}


def self_holding() -> LuaFunction:
    function = LuaFunction(b"\x1bLua", None)
    function.upvalues = array_of([function])
    return function


PROGRAM = """
import json, resource, signal, sys, time
from pathlib import Path
from activations.errors import ActivationError
from activations.importers.importing import import_model

pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[2]) * 1_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sorted(Path(sys.argv[1]).iterdir()):
    signal.alarm(60)
    start = time.process_time()
    try:
        outcome = str(import_model(path, "chars:abcdefg"))
    except ActivationError as error:
        outcome = f"refused: {error}"
    print(json.dumps([path.name, outcome, time.process_time() - start]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float]]:
    """What import says of each hostile file, and the seconds that it took, in a process with bounded memory."""
    folder = tmp_path_factory.mktemp("hostile")
    names = {f"{n:03}.t7": name for n, name in enumerate(HOSTILE)}
    for file_name, name in names.items():
        (folder / file_name).write_bytes(HOSTILE[name][0]())
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(MEGABYTES)], capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, (ran.stdout[-500:], ran.stderr[-2000:])
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return {names[file_name]: (outcome, seconds) for file_name, outcome, seconds in lines}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_one_sentence(name: str, outcomes: dict[str, tuple[str, float]]) -> None:
    outcome, seconds = outcomes[name]
    assert outcome.startswith("refused: ") and HOSTILE[name][1] in outcome, outcome
    assert len(outcome) < 700 and outcome.isprintable()
    assert seconds < SECONDS


FORMS: dict[str, Callable[[], bytes]] = {
    "char-rnn": checkpoint,
    "torch-rnn": lambda: dumps(torch_rnn_checkpoint(random_weights("rzn", 7, 5, 2, n_embedding=3), "abcdefg")),
    "ASCII": lambda: dumps(char_rnn_checkpoint(gru_graph(random_weights("rzn", 7, 5, 1)), "abcdefg"), ascii=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_mutants_are_refused_or_read(form: str, tmp_path: Path) -> None:
    path, content, rng = tmp_path / "model.t7", FORMS[form](), np.random.default_rng(0)
    n_refused = 0
    for _ in range(n_examples(200)):
        path.write_bytes(mutant(content, rng))
        try:
            import_model(path, Vocabulary("abcdefg"), force=True)
        except ActivationError as error:
            assert len(str(error)) < 700
            n_refused += 1
    assert n_refused

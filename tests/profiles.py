"""How many random examples the library hypothesis draws for each test.

`make test` draws a few, the same ones every time. `make test-all` chooses the profile `ci`, which draws many, and names
their seed. Neither has deadlines, since the first call of a labeller compiles it.
"""

from hypothesis import settings

settings.register_profile("quick", deadline=None, derandomize=True, max_examples=25)
settings.register_profile("ci", deadline=None, derandomize=False, max_examples=200, print_blob=True)
settings.load_profile("quick")


def n_examples(n: int) -> int:
    """Scale the number of examples of a test whose examples are slow, where another test has a hundred."""
    return max(3, n * settings().max_examples // 100)

"""How many random examples the library hypothesis draws for each test.

`make test` draws a few, the same ones every time. `make test-all` chooses the profile `ci`, which draws many, and names
their seed. In neither can a test fail because it is slow: the first call of a labeller compiles it, and other tests
run beside it.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
untimed = settings.get_profile("untimed")
settings.register_profile("quick", parent=untimed, derandomize=True, max_examples=25)
settings.register_profile("ci", parent=untimed, derandomize=False, max_examples=200, print_blob=True)
settings.load_profile("quick")


def n_examples(n: int) -> int:
    """Scale the number of examples of a test whose examples are slow, where another test has a hundred."""
    return max(3, n * settings().max_examples // 100)

"""Hypothesis profiles: ``--hypothesis-profile explore`` searches further, from a fresh seed."""

from hypothesis import settings

# No deadline: how long an example takes says nothing about it on a shared machine.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("default")

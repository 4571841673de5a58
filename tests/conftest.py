"""Hypothesis profiles: ``--hypothesis-profile explore`` searches further, from a fresh seed."""

import signal

from hypothesis import settings

# No deadline: how long an example takes says nothing about it on a shared machine.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("default")

# A shell starts background jobs with SIGINT ignored, and children would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

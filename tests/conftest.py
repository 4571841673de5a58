"""Hypothesis profiles: ``--hypothesis-profile explore`` searches further, from a fresh seed."""

import signal

from hypothesis import settings

# No deadline: how long an example takes says nothing about it on a shared machine.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("default")

# A shell starts background jobs with signals ignored, and children would inherit that.
for name in ("SIGINT", "SIGQUIT", "SIGHUP"):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) == signal.SIG_IGN:
        default = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
        signal.signal(number, default)

"""The engines: one module each. :mod:`ermbit.engines.registry` lists them."""

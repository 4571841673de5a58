"""The shipped library, source by source; ``scripts/build_library.py`` writes its files."""

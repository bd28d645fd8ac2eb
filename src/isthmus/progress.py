"""How far a long piece of work is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is done, how many of it are, and how many there will be."""

"""karyo: recognise human chromosomes."""

__version__ = "0.1.0"

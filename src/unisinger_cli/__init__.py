"""unisinger: offline song generation and singing voice conversion in one speaker space."""

__version__ = "0.1.0"

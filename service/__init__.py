"""The API process: HTTP, specs, storage and the queue. Loads without torch."""

from importlib.metadata import version

__version__ = version("salience-audit")

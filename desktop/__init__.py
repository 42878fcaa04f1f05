"""The desktop application: window, command line and the composition root that joins all parts."""

__version__ = "0.1.0"

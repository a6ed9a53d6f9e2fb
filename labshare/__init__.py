"""LabShare: shared research instruments, divided fairly under public-private agreements."""

__version__ = "0.1.0"

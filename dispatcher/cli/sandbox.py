"""`dispatcher sandbox`: the local gateway."""

from dispatcher.sandbox.command import sandbox as command

__all__ = ["command"]

"""What the shell is to do next, in order, gathered while the machine handles one event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._wire.frames import ErrorEvent
from .commands import Report

if TYPE_CHECKING:
    from .commands import Command, Event


class CommandQueue:
    """Commands that the shell has not taken yet."""

    __slots__ = ("_commands",)

    def __init__(self) -> None:
        self._commands: list[Command] = []

    def add(self, command: Command) -> None:
        self._commands.append(command)

    def report(self, event: Event) -> None:
        """Tells the application."""
        self.add(Report(event))

    def error(self, code: str, message: str) -> None:
        """Reports an error of this package."""
        self.report(ErrorEvent(code, message))

    def take(self) -> list[Command]:
        """Everything that was added since the last call."""
        commands, self._commands = self._commands, []
        return commands

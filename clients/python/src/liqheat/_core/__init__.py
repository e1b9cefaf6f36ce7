"""Decisions of the live client as state machines of (event, time). No sockets, no tasks and no clock."""

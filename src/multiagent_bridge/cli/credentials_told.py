"""What `mab credentials sync` says: a line an event, or a line of JSON."""

from __future__ import annotations

from multiagent_bridge.cli import output
from multiagent_bridge.errors import BridgeError


class Told:
    """What sync says: a line an event, each trouble once until it changes."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._last: dict[str, str] = {}

    def say(self, event: str, sentence: str, **fields: object) -> None:
        if self._json:
            output.json_line({"event": event} | fields)
        else:
            output.line(sentence)

    def trouble(self, event: str, error: BridgeError) -> None:
        """Said once: again only when it is another, or has been over."""
        if self._last.get(event) == error.sentence:
            return
        self._last[event] = error.sentence
        if self._json:
            output.json_line({"event": event, "code": error.code, "reason": error.sentence, "hint": error.hint})
        else:
            output.say(f"{event}: {error}")

    def over(self, event: str) -> bool:
        """The trouble is over. Returns whether there was one."""
        return self._last.pop(event, None) is not None

"""How often things happened, for `GET /api/stats`."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

Counts = Counter[str]

# Counted since the start, or since the messages were last cleared.
MEANINGS: Final[Mapping[str, str]] = {
    "requests": "POST /v1/messages that arrived, whatever became of them",
    "accepted": "messages that were accepted, including those dropped since as the oldest",
    "uploads": "POST /v1/media that arrived",
    "uploaded": "files that were kept",
    "downloads": "GET /v1/media/{id} that arrived",
    "removals": "DELETE /v1/media/{id} that arrived",
    "faults": "requests on which a fault acted",
    "connections": "TCP connections over which a request to /v1 came",
}


def view(counts: Counts) -> dict[str, int]:
    """What `GET /api/stats` answers: every count, those of what never happened included."""
    return {name: counts[name] for name in MEANINGS}

"""How the panes of one column share its rows. Plain arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

LEAST = 2
"""A heading and a row."""


def shares(room: int, needs: Sequence[int], focused: int = -1) -> list[int]:
    """Rows for each pane, its heading among them: first its least, then what the one in focus needs as long as the others keep
    half of the rest, then in turn until everybody has what it needs; what is left goes to the last. Where there is no room for
    all, the one in focus has it alone.
    """
    count = len(needs)
    given = [LEAST] * count
    left = room - sum(given)
    if left < 0:
        alone = focused if 0 <= focused < count else 0
        return [max(0, room) if at == alone else 0 for at in range(count)]
    wanted = [max(0, need + 1 - LEAST) for need in needs]
    if 0 <= focused < count:
        most = left if sum(wanted) <= left else max(left // 2, left - sum(wanted) + wanted[focused])
        more = min(wanted[focused], most)
        given[focused] += more
        wanted[focused] -= more
        left -= more
    while left > 0 and any(wanted):
        for at in range(count):
            if left > 0 and wanted[at] > 0:
                given[at] += 1
                wanted[at] -= 1
                left -= 1
    given[-1] += left
    return given

"""How long a client without a connection waits before it tries again: one pure function.

The wait is a share of the time it has been away. A server that was restarted is found again
within moments however unlucky the first tries were; after a long time away tries are rare, and
what they cost (a laptop's battery, the server that comes back) is bounded. The lower half of each
wait is fixed and the upper half left to chance, so that a thousand clients of one server come
back spread over the same share of the time that it was away. Knows neither clock nor network.
"""

FIRST_S = 0.5
SHARE = 0.2
MOST_S = 20.0
NEAR_MOST_S = 5.0
"""Of a server on this computer or in this network, where a try costs next to nothing."""
NEAR_FOR_S = 600.0
"""After so long, whoever looked for a server nearby has left its network, or it is switched off."""


def pause(away_s: float, *, near: bool, chance: float) -> float:
    """How many seconds to wait before the next try.

    Args:
        away_s: how long ago the last log-in's connection ended, or the first try began.
        near: whether the server is on this computer or in this network.
        chance: from 0 to 1, drawn anew each time.
    """
    most = NEAR_MOST_S if near and away_s < NEAR_FOR_S else MOST_S
    return min(max(FIRST_S, away_s * SHARE), most) * (1 + chance) / 2

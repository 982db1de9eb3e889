"""What all claims of a column say together, in a few words."""

from collections import Counter
from collections.abc import Sequence

from robustseg.results.claims.claim import Claim
from robustseg.terminal.count import count


def overview(claims: Sequence[Claim]) -> str:
    """How many pairs of a column are separated: of the row with the best mean, if all rows meet.

    Example:
        ``T-Loss has the best mean. Separated: 8 of its 11 pairs as networks, 2 of 3 with three
        or more common seeds as methods``
    """
    best, wins = Counter(claim.names[0] for claim in claims).most_common(1)[0]
    names = {name for claim in claims for name in claim.names}
    if wins < len(names) - 1 or wins == 1:
        return f"Separated: {_separated(claims, count(len(claims), 'pair'))}"
    own = [claim for claim in claims if claim.names[0] == best]
    return f"{best} has the best mean. Separated: {_separated(own, f'its {len(own)} pairs')}"


def _separated(claims: Sequence[Claim], pairs: str) -> str:
    said = f"{sum(claim.separated for claim in claims)} of {pairs} as networks"
    methods = [claim.methods for claim in claims if claim.methods]
    if methods:
        separated = sum(one.separated for one in methods)
        said += f", {separated} of {len(methods)} with three or more common seeds as methods"
        opposite = sum(one.opposite for one in methods)
        said += f" ({opposite} in the opposite direction)" if opposite else ""
    return said

"""The services that the sandbox sells, derived from its seed. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import final

from attrs import frozen

_THOUSAND = Decimal(1000)

FLAT_RATE_TYPES = frozenset({"Package", "Custom Comments Package", "Subscriptions"})
"""The types whose rate is the price of the whole order (panel-api §4.3)."""

QUANTITY_FIELDS = {"Custom Comments": "comments", "Mentions Custom List": "usernames", "Comment Replies": "comments"}
"""The field whose lines are counted to find the quantity, by type (panel-api §4.3)."""

REQUIRED_FIELDS: dict[str, tuple[str, ...]] = {
    "SEO": ("keywords",),
    "Custom Comments Package": ("comments",),
    "Mentions": ("usernames",),
    "Mentions with Hashtags": ("usernames", "hashtags"),
    "Mentions Hashtag": ("hashtag",),
    "Mentions User Followers": ("username",),
    "Mentions Media Likers": ("media",),
    "Comment Likes": ("username",),
    "Comment Replies": ("username",),
    "Poll": ("answer_number",),
    "Invites from Groups": ("groups",),
    "Subscriptions": ("username", "min", "max", "delay"),
    "Web Traffic": ("country", "device", "type_of_traffic"),
}
"""The fields that a type requires besides link and quantity (panel-api §4.3)."""


@final
@frozen(kw_only=True)
class Offer:
    """A service of the catalogue. ``rate`` is the price of 1000, or of the whole order for the flat-rate types."""

    service: int
    name: str
    type: str
    category: str
    rate: Decimal
    min: int
    max: int
    refill: bool
    cancel: bool
    enabled: bool = True

    @property
    def takes_names(self) -> bool:
        """Whether it is delivered to an account, which ``@name`` is enough for."""
        return "followers" in self.name.casefold()

    def to_json(self) -> dict[str, object]:
        """Return the service as the panel documents it, with amounts and limits as strings."""
        return {
            "service": self.service,
            "name": self.name,
            "type": self.type,
            "category": self.category,
            "rate": str(self.rate),
            "min": str(self.min),
            "max": str(self.max),
            "refill": self.refill,
            "cancel": self.cancel,
        }

    def compute_price(self, quantity: int) -> Decimal:
        """Return the price of ``quantity`` pieces."""
        return self.rate if self.type in FLAT_RATE_TYPES else self.rate * quantity / _THOUSAND


MAX_SERVICES = 100_000


def mix_seed(seed: int, number: int) -> int:
    """Return 64 pseudo-random bits that depend on ``seed`` and ``number`` alone (splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + (number + 1) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


_MASK = (1 << 64) - 1


def create_catalogue(seed: int, size: int) -> dict[int, Offer]:
    """Return ``size`` services by their ids: one of each documented type, then services derived from the seed."""
    derived = (_create_offer(seed, service) for service in range(len(_DOCUMENTED_OFFERS) + 1, size + 1))
    return {offer.service: offer for offer in (*_DOCUMENTED_OFFERS[:size], *derived)}


_DOCUMENTED_OFFERS = (
    Offer(
        service=1, name="Followers", type="Default", category="First Category",
        rate=Decimal("0.90"), min=50, max=10000, refill=True, cancel=True,
    ),
    Offer(
        service=2, name="Comments", type="Custom Comments", category="Second Category",
        rate=Decimal(8), min=10, max=1500, refill=False, cancel=True,
    ),
    Offer(
        service=3, name="Starter pack", type="Package", category="Third Category",
        rate=Decimal("4.50"), min=1, max=1, refill=False, cancel=False,
    ),
    *(
        Offer(
            service=service, name=f"{type_} {service}", type=type_, category="Third Category",
            rate=Decimal("1.20"), min=1, max=1 if "Package" in type_ else 5000, refill=service % 2 == 0, cancel=True,
        )
        for service, type_ in enumerate([*REQUIRED_FIELDS, "Mentions Custom List"], 4)
    ),
)  # fmt: skip


def _create_offer(seed: int, service: int) -> Offer:
    bits = mix_seed(seed, service)
    return Offer(
        service=service,
        name=f"{('Likes', 'Views', 'Followers')[bits % 3]} {service}",
        type="Default",
        category=("First Category", "Second Category")[bits % 2],
        rate=Decimal(bits % 900 + 10) / 100,
        min=10,
        max=100000,
        refill=bits % 5 != 0,
        cancel=bits % 7 != 0,
    )

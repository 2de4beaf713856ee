"""A server's settings: limits raised by flag, trusted proxies, sizes."""

from __future__ import annotations

from dataclasses import dataclass

from goldnode.errors import UsageError
from goldnode.protocol import limits
from goldnode.rendezvous.address import Network
from goldnode.rendezvous.limiter import Rate

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Config:
    """The application's settings.

    Attributes:
        address_rate: Requests per second from one address.
        room_rate: Requests per second from one address to one room.
        new_rooms: New rooms and policies per hour from one address.
        address_connections: Simultaneous connections from one address.
        proxies: Networks whose `X-Forwarded-For` is trusted.

    Raises:
        UsageError: A rate is not above 0.
    """

    address_rate: float = limits.ADDRESS_RATE
    room_rate: float = limits.ROOM_RATE
    new_rooms: float = limits.NEW_ROOMS_PER_HOUR
    address_connections: int = limits.ADDRESS_CONNECTIONS
    proxies: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        if not all(rate > 0 for rate in (self.address_rate, self.room_rate, self.new_rooms, self.address_connections)):
            raise UsageError("a rate or a number of connections must be above 0", hint="./invoke rendezvous --help")

    def rates(self) -> tuple[Rate, Rate, Rate]:
        """Per address, per address and room, and for new rooms; a burst grows with its rate."""
        burst = limits.ADDRESS_BURST / limits.ADDRESS_RATE
        return (
            Rate(self.address_rate, self.address_rate * burst),
            Rate(self.room_rate, self.room_rate * burst),
            Rate(self.new_rooms / HOUR, max(1.0, self.new_rooms)),
        )

    def raised(self) -> tuple[str, ...]:
        """A sentence for each limit that differs from the protocol's."""
        found = (
            (self.address_rate, limits.ADDRESS_RATE, "requests/s per address"),
            (self.room_rate, limits.ROOM_RATE, "requests/s per address and room"),
            (self.new_rooms, limits.NEW_ROOMS_PER_HOUR, "new rooms/h per address"),
            (self.address_connections, limits.ADDRESS_CONNECTIONS, "connections per address"),
        )
        return tuple(f"{value:g} {what} (protocol: {usual})" for value, usual, what in found if value != usual)

    def limits(self) -> dict[str, float]:
        """The protocol's limits by name, with this server's own rates."""
        usual: dict[str, float] = {
            name: value for name, value in vars(limits).items() if name.isupper() and isinstance(value, int)
        }
        del usual["VERSION"]
        return usual | {
            "ADDRESS_RATE": self.address_rate,
            "ADDRESS_BURST": self.rates()[0].burst,
            "ROOM_RATE": self.room_rate,
            "NEW_ROOMS_PER_HOUR": self.new_rooms,
            "ADDRESS_CONNECTIONS": self.address_connections,
        }

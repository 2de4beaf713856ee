"""The operator at the rendezvous: reads the room as a member would, and publishes policies.

All rendezvous are read into one roster, and all get the policy; one that does not answer is
named, and affects nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from goldnode.cluster import govern
from goldnode.cluster.store import Cluster, Onlooker
from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.client import Endpoint
from goldnode.discovery.listing import RoomListing
from goldnode.discovery.roster import RoomReading
from goldnode.errors import ExchangeError, UsageError
from goldnode.protocol.parcel import Parcel
from goldnode.protocol.policy import verify_policy
from goldnode.protocol.record import verify_tombstone
from goldnode.protocol.seal import room_key


@dataclass(frozen=True, slots=True)
class RoomView:
    """The result of reading every rendezvous once.

    Attributes:
        answered: The URLs that answered.
        alarms: Everything that is wrong, in order.
        alive: Node IDs whose record is at one of them: written, or kept alive by a heartbeat, within its time to live.
    """

    answered: tuple[str, ...]
    alarms: tuple[Alarm, ...]
    alive: frozenset[str] = frozenset()


def read(cluster: Onlooker, clock: Callable[[], float] = time.time) -> RoomView:
    """Read every rendezvous of the cluster, and publish our policy to those that show an older one."""
    answered, alarms, alive = [], set(), set[str]()
    for url in endpoints(cluster):
        endpoint = Endpoint(url)
        try:
            found, there = _read(cluster, endpoint, clock())
            alarms |= found
            alive |= there
            answered.append(url)
        except ExchangeError as error:
            alarms.add(Alarm(AlarmKind.UNREACHABLE, url, error.message))
    alarms |= cluster.view.alarms(clock())
    return RoomView(tuple(answered), tuple(sorted(alarms)), frozenset(alive))


def endpoints(cluster: Onlooker) -> tuple[str, ...]:
    """Where the cluster meets: the settings' URLs, and those of the policy.

    Raises:
        UsageError: No rendezvous is known.
    """
    urls = tuple(dict.fromkeys((*cluster.settings.rendezvous, *cluster.view.policy.endpoints)))
    if not urls:
        name = cluster.folder.name
        raise UsageError(
            f"cluster {name} has no rendezvous yet",
            hint=f"./invoke cluster status {name} --rendezvous http://HOST:8700",
        )
    return urls


def publish(cluster: Cluster) -> tuple[str, ...]:
    """Publish the policy we hold to every rendezvous.

    Returns:
        The URLs that took it.

    Raises:
        ExchangeError: None did; the policy is kept, and every later command tries again.
    """
    signed, took, error = cluster.view.signed, [], None
    for url in endpoints(cluster) if signed else ():
        try:
            Endpoint(url).put_policy(cluster.view.fingerprint, signed.data if signed else b"")
            took.append(url)
        except ExchangeError as refusal:
            error = refusal
    if error is not None and not took:
        raise ExchangeError(
            f"the policy is written, but no rendezvous took it: {error.message}",
            code=error.code,
            hint=f"./invoke cluster status {cluster.folder.name}",
        ) from error
    return tuple(took)


def endorse(cluster: Cluster) -> None:
    """Let the policy name the present members, so that a candidate trusts them however old their invites are."""
    if not cluster.settings.rendezvous:
        return
    read(cluster)
    if govern.unendorsed(cluster):
        govern.approve(cluster)
        publish(cluster)


def _read(cluster: Onlooker, endpoint: Endpoint, now: float) -> tuple[set[Alarm], set[str]]:
    """What is wrong at one rendezvous, and whose records are there."""
    view = cluster.view
    key, room = room_key(view.cluster_key), view.room
    listing = endpoint.list(key, int(now * 1000), after="", wait=0, policy=view.fingerprint)
    bad: list[str] = []
    if listing.policy is not None:
        try:
            view.take_policy(listing.policy, now)
        except ExchangeError as error:
            bad.append(error.message)
    if room != view.room:
        return _read(cluster, endpoint, now)
    alive = _take(cluster, listing, now, bad)
    if view.signed and _version(listing.policy, view.fingerprint) < view.signed.version:
        endpoint.put_policy(view.fingerprint, view.signed.data)
    return ({Alarm(AlarmKind.BAD_RECORDS, endpoint.url, f"{len(bad)}, as: {bad[0]}")} if bad else set()), alive


def _take(cluster: Onlooker, listing: RoomListing, now: float, bad: list[str]) -> set[str]:
    records, tombstones = [], []
    for slot, data in listing.items:
        try:
            found = cluster.view.read(slot, data, now)
            if not isinstance(found, Parcel):
                records.append(found)
        except ExchangeError as error:
            bad.append(error.message)
    for slot, data in listing.deleted:
        try:
            tombstones.append(verify_tombstone(data, slot))
        except ExchangeError as error:
            bad.append(error.message)
    cluster.view.take(RoomReading(tuple(records), tuple(tombstones)), now)
    return {announcement.enrolment.node_id for _, announcement in records}


def _version(policy: bytes | None, fingerprint: str) -> int:
    try:
        return verify_policy(policy or b"", fingerprint).version
    except ExchangeError:
        return 0

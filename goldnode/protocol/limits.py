"""Every limit of the rendezvous protocol, read by both ends.

The server refuses what exceeds them, members never send it, and readers check sizes before they
parse anything.  `docs/rendezvous-protocol.md` cites these names; a change here is a change of the
protocol.  Standard library only, no imports of our own.
"""

from __future__ import annotations

#: The protocol's version: first byte of every signed structure, `/v1/` of every path.
VERSION = 1

#: Bytes of a request body; a policy may be larger, because it carries a wrapped key for each member.
BODY_BYTES = 6 * 1024
POLICY_BODY_BYTES = 24 * 1024
#: Bytes of a response a member reads before it hangs up (256 full records and a policy fit).
RESPONSE_BYTES = 2 * 1024 * 1024
#: Bytes of a request target and of one of our header values.
TARGET_BYTES = 512
HEADER_BYTES = 256
#: Characters of a cursor; opaque to members.
CURSOR_CHARS = 64

#: Plaintext sizes, in bytes, a record is padded to, so that the server learns little from sizes.
PADDED_SIZES = (512, 1024, 2048, 4096)
#: Bytes of a policy as it is signed (its JSON body on the wire is a third larger).
POLICY_BYTES = 17 * 1024

#: Members a cluster may have, and slots (members, departed, junk) the server keeps in a room.
MEMBERS = 64
SLOTS = 256
#: Wrapped keys of a policy: one for each member, one for the operator.
BOXES = MEMBERS + 1
#: Entries in a record's and a policy's lists.
ADDRESSES = 8
LOADED = 16
ENDPOINTS = 8
REVOKED_NODES = 128
REVOKED_INVITES = 64
FORGOTTEN = 32

#: Seconds a record lives without a heartbeat: what may be asked, and what members ask.
TTL_MIN = 60
TTL_MAX = 7 * 24 * 3600
TTL_DEFAULT = 10 * 60
#: Seconds a server keeps a record at most before the next heartbeat, whatever its ttl says.
LIFETIME_MAX = 3600
#: Seconds between heartbeats, and between scheduled refreshes (the same facts put again, with a view).
TOUCH_INTERVAL = 3 * 60
REFRESH_INTERVAL = 3600
#: Seconds the server keeps a tombstone, and a policy after it was last put.
TOMBSTONE_TTL = 7 * 24 * 3600
POLICY_TTL = 7 * 24 * 3600
#: Longest long-poll, in seconds: below the usual 60 s of proxies.
WAIT_MAX = 55
#: Seconds that a request's or a record's time may be off, either way.
CLOCK_SKEW = 2 * 3600
#: Seconds a request's time may be off, either way, when it names the server it is for.
REQUEST_SKEW = 5 * 60
#: Seconds within which a repeated request is a client's retry; later it is a replay.
REPEAT_SECONDS = 10

#: Seconds that an order is good for, at most, and that its date may be ahead of the node's clock.
ORDER_LIFE = 3600
ORDER_SKEW = 5 * 60
#: Days that an operator key is good for, at most; operator keys whose numbers a node remembers.
OPERATOR_DAYS = 400
OPERATORS = 32
#: Bytes of an answer when it is unpacked.
ANSWER_BYTES = 256 * 1024

#: Highest `seq`, heartbeat counter and policy version: a signed 64-bit integer holds them.
SEQ_MAX = (1 << 63) - 1

#: Requests per second and burst of one address; requests per second of one address to one room; new rooms and
#: new policies per hour of one address.  Whoever runs a server for many raises them by flag.
ADDRESS_RATE = 15
ADDRESS_BURST = 60
ROOM_RATE = 30
NEW_ROOMS_PER_HOUR = 10
#: Connections from one address: a cluster of 64 behind one NAT needs two for each member; twice that is allowed.
ADDRESS_CONNECTIONS = 256

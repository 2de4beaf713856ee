"""The journal, sent to a receiver over TLS (RFC 5425) where node.yaml says so: Debian's rsyslog, by a file of ours.

Off by default, and without a word of it on the disk then.  What cannot be sent is kept, up to ``KEPT``, and sent later.
"""

from __future__ import annotations

from goldnode.config.node_config import LogReceiver

UNIT = "goldnode-logs.service"
PROGRAM = "/usr/sbin/rsyslogd"
#: The Debian package that has it, with TLS.
PACKAGE = "rsyslog-gnutls"
#: What the unit starts it with; the certificates of whoever signed the receiver's; what Debian trusts.
SETTINGS, CA = "/etc/goldnode/logs/rsyslog.conf", "/etc/goldnode/logs/ca.pem"
USUAL_CA = "/etc/ssl/certs/ca-certificates.crt"
#: Where the unit lets it keep its place in the journal, and what it could not send.
STATE = "/var/lib/goldnode-logs"
#: Disk space for what could not be sent.
KEPT = "64m"


def settings(receiver: LogReceiver, ca: str = CA, state: str = STATE) -> str:
    """Rsyslog's settings: the journal in, one receiver out, nothing else.

    Args:
        receiver: Whom to send it to.
        ca: Who must have signed the receiver's certificate, which must be for its name.
        state: The folder for what it remembers.
    """
    return f"""\
global(workDirectory="{state}" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{ca}")
module(load="imjournal" StateFile="journal" IgnorePreviousMessages="off")
action(
  type="omfwd" target="{receiver.host}" port="{receiver.port}" protocol="tcp"
  template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="octet-counted" keepAlive="on"
  streamDriver="gtls" streamDriverMode="1" streamDriverAuthMode="x509/name"
  streamDriverPermittedPeers="{receiver.host}"
  action.resumeRetryCount="-1" action.resumeInterval="5" action.resumeIntervalMax="60"
  queue.type="linkedList" queue.filename="unsent" queue.maxDiskSpace="{KEPT}" queue.saveOnShutdown="on"
)
"""

"""How AWS is called: timeouts, retries, and its many failures turned into one error.

boto3's defaults wait a minute for an answer and give up after five attempts; an upload of thousands
of blocks needs the opposite.  Outside EC2, clients without timeouts are known to hang.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from goldnode.errors import PublishError

if TYPE_CHECKING:
    from mypy_boto3_ebs.client import EBSClient
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_ssm.client import SSMClient

#: Blocks in flight at once; coldsnap and NixOS/amis arrived at the same number.
WORKERS = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Timeouts and retries.

    Attributes:
        connect: Seconds to establish a connection.
        answer: Seconds without a byte of an answer.
        attempts: Attempts per call, including the first; boto3 paces them (adaptive mode).
        poll: Seconds between polls of something that takes minutes.
        timeout: Seconds until a snapshot, image or copy must be ready.
    """

    connect: float = 5
    answer: float = 30
    attempts: int = 12
    poll: float = 5
    timeout: float = 3600


@dataclass(slots=True)
class Clients:
    """One client per service and region, made on first use; safe to share between threads.

    Attributes:
        limits: Timeouts and retries for all of them.
        endpoint: A server other than Amazon's, for tests and benchmarks.
    """

    limits: Limits = field(default_factory=Limits)
    endpoint: str | None = None
    _session: Any = None
    _made: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ebs(self, region: str) -> EBSClient:
        """EBS direct: snapshots block by block."""
        return self._client("ebs", region)  # type: ignore[no-any-return]

    def ec2(self, region: str) -> EC2Client:
        """Images and snapshots."""
        return self._client("ec2", region)  # type: ignore[no-any-return]

    def ssm(self, region: str) -> SSMClient:
        """Parameters that point at images."""
        return self._client("ssm", region)  # type: ignore[no-any-return]

    def s3(self, region: str) -> S3Client:
        """Buckets."""
        return self._client("s3", region)  # type: ignore[no-any-return]

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            if (service, region) not in self._made:
                config = Config(
                    connect_timeout=self.limits.connect,
                    read_timeout=self.limits.answer,
                    retries={"mode": "adaptive", "total_max_attempts": self.limits.attempts},
                    max_pool_connections=WORKERS,
                    tcp_keepalive=True,
                )
                with aws_errors(f"connecting to {service} in {region}"):
                    # One session reads each service's large model once.
                    self._session = self._session or boto3.session.Session()
                    self._made[service, region] = self._session.client(
                        service, region_name=region, endpoint_url=self.endpoint, config=config
                    )
            return self._made[service, region]


def error_code(error: ClientError) -> str:
    """Amazon's error code, such as `InvalidAMIID.NotFound`."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Turn whatever boto3 raises in the block into one error.

    Args:
        doing: What was attempted and where, as `registering the image in eu-west-1`.

    Raises:
        PublishError: AWS refused, or could not be reached within the limits.
    """
    try:
        yield
    except ClientError as refused:
        text = str(refused.response.get("Error", {}).get("Message", ""))
        raise PublishError(
            f"{doing}: AWS answered {error_code(refused)}: {text}", hint="aws sts get-caller-identity"
        ) from refused
    except (NoCredentialsError, PartialCredentialsError) as missing:
        raise PublishError(f"{doing}: there are no AWS credentials", hint="aws configure") from missing
    except BotoCoreError as failed:
        raise PublishError(
            f"{doing}: {failed}", hint="run the same command again: it continues where it stopped"
        ) from failed

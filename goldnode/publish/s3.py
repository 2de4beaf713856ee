"""A release in an S3 bucket, Amazon's or that of any compatible service."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from goldnode.errors import PublishError
from goldnode.files import CHUNK
from goldnode.publish.aws.clients import Clients, aws_errors, error_code

#: Error codes of S3 and compatible services for a missing key.
_ABSENT = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True, slots=True)
class Bucket:
    """One release in a bucket.

    Attributes:
        clients: How S3 is called.
        region: The bucket's region.
        bucket: Its name; it must exist, because its policy is up to the operator.
        prefix: The prefix of all keys, such as `localnet/1.2.0/amd64/`.
    """

    clients: Clients
    region: str
    bucket: str
    prefix: str

    @property
    def name(self) -> str:
        """The place, as people write it."""
        return f"s3://{self.bucket}/{self.prefix}"

    def prepare(self) -> None:
        """Check that the bucket exists.

        Raises:
            PublishError: It does not exist, or we may not use it.
        """
        with aws_errors(f"looking for the bucket {self.bucket}"):
            try:
                self.clients.s3(self.region).head_bucket(Bucket=self.bucket)
            except ClientError as refused:
                if error_code(refused) not in _ABSENT:
                    raise
                hint = f"aws s3 mb s3://{self.bucket} --region {self.region}"
                raise PublishError(f"there is no bucket {self.bucket}", hint=hint) from refused

    def sha256(self, name: str) -> str | None:
        """SHA-256 of an object, downloaded whole; None if there is none."""
        with aws_errors(f"reading {self.name}{name}"):
            try:
                answer = self.clients.s3(self.region).get_object(Bucket=self.bucket, Key=self.prefix + name)
            except ClientError as refused:
                if error_code(refused) in _ABSENT:
                    return None
                raise
            digest = hashlib.sha256()
            for chunk in answer["Body"].iter_chunks(CHUNK):
                digest.update(chunk)
            return digest.hexdigest()

    def put(self, path: Path) -> None:
        """Upload a file, in parts if it is large, each with its own SHA-256."""
        with aws_errors(f"sending {path.name} to {self.name}"):
            self.clients.s3(self.region).upload_file(
                str(path), self.bucket, self.prefix + path.name, ExtraArgs={"ChecksumAlgorithm": "SHA256"}
            )

    def finish(self) -> str:
        """Return the address; the bucket's policy decides who sees the objects."""
        return self.name

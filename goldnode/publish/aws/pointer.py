"""SSM parameters that name an image: one per version, which never changes, and `latest`, which does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from goldnode.errors import PublishError
from goldnode.publish.aws.clients import aws_errors, error_code
from goldnode.publish.aws.image import Ami
from goldnode.publish.ledger import Facts

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

LATEST = "latest"


def parameter(ami: Ami, version: str) -> str:
    """Name of the parameter, as `/goldnode/osmosis/amd64/1.2.0`."""
    return f"/goldnode/{ami.network}/{ami.arch}/{version}"


def read(ssm: SSMClient, name: str) -> str | None:
    """The image that a parameter names; None if there is no such parameter."""
    with aws_errors(f"reading the parameter {name}"):
        try:
            return ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except ClientError as refused:
            if error_code(refused) == "ParameterNotFound":
                return None
            raise


def name_version(ssm: SSMClient, ami: Ami, image: str) -> Facts:
    """Point the version's parameter at the image.

    Raises:
        PublishError: It names another image already: a version is published once.
        ClientError: SSM refused.
    """
    name = parameter(ami, ami.version)
    try:
        _put(ssm, name, image, overwrite=False)
    except ClientError as refused:
        # It may be our own earlier attempt, whose answer was lost: what counts is its value.
        if error_code(refused) != "ParameterAlreadyExists":
            raise
    held = read(ssm, name)
    if held != image:
        raise PublishError(f"{name} names {held}, not {image}", hint="release under a new --version")
    return {"parameter": name}


def name_latest(ssm: SSMClient, ami: Ami, image: str) -> Facts:
    """Point `latest` at the image, whatever it named before.

    Raises:
        ClientError: SSM refused.
    """
    name = parameter(ami, LATEST)
    if read(ssm, name) != image:
        _put(ssm, name, image, overwrite=True)
    return {"parameter": name}


def _put(ssm: SSMClient, name: str, image: str, *, overwrite: bool) -> None:
    # With this data type SSM itself refuses an id that is not an image in the region.
    ssm.put_parameter(Name=name, Value=image, Type="String", DataType="aws:ec2:image", Overwrite=overwrite)

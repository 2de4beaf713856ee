"""One AMI: its specification, and how it is found, registered, copied and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from goldnode.errors import PublishError
from goldnode.publish.aws.clients import Clients, aws_errors, error_code
from goldnode.publish.blocks import volume_gib

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_ec2.literals import BootModeValuesType, ResourceTypeType
    from mypy_boto3_ec2.type_defs import EbsBlockDeviceTypeDef, ImageTypeDef, TagSpecificationTypeDef

#: What EC2 calls Debian's architectures.
ARCHITECTURES: Mapping[str, str] = {"amd64": "x86_64", "arm64": "arm64"}
ROOT_DEVICE = "/dev/xvda"
#: The tag by which we find what we made: sha256 of the release.json it was made from.
RELEASE_TAG = "goldnode:release"


@dataclass(frozen=True, slots=True)
class Ami:
    """The specification of an image, in whichever region.

    Attributes:
        network: Its network, as `osmosis`.
        version: The release's version.
        arch: Debian's name, `amd64` or `arm64`.
        commit: git commit it was baked from.
        release: sha256 of its release.json.
        raw: Its disk, a `.raw.zst`.
        size: Bytes of the raw disk.
    """

    network: str
    version: str
    arch: str
    commit: str
    release: str
    raw: Path
    size: int

    @property
    def name(self) -> str:
        """The name that consoles show; unique per account and region."""
        return f"goldnode-{self.network}-{self.version}-{self.arch}"

    @property
    def description(self) -> str:
        """One line for the console."""
        return f"goldnode {self.version} for {self.network}, commit {self.commit[:12]}"

    @property
    def boot_mode(self) -> BootModeValuesType:
        """UEFI where the instance type offers it; Arm offers nothing else."""
        return "uefi" if self.arch == "arm64" else "uefi-preferred"

    def tags(self) -> dict[str, str]:
        """The tags of every image and snapshot of this release."""
        return {
            "Name": self.name,
            RELEASE_TAG: self.release,
            "goldnode:network": self.network,
            "goldnode:version": self.version,
            "goldnode:commit": self.commit,
        }

    def token(self, *parts: str) -> str:
        """A client token: the same request sent twice, even by two runs, creates one resource."""
        return hashlib.sha256("\n".join([self.release, *parts]).encode()).hexdigest()[:64]

    def specification(self, *kinds: ResourceTypeType) -> list[TagSpecificationTypeDef]:
        """The tags in the form that EC2's calls expect."""
        tags = [{"Key": key, "Value": value} for key, value in self.tags().items()]
        return [{"ResourceType": kind, "Tags": tags} for kind in kinds]  # type: ignore[typeddict-item]


def find(ec2: EC2Client, ami: Ami) -> str | None:
    """Id of this release's image in the client's region.

    Raises:
        PublishError: The name is taken by something that was not made from this release.
    """
    images = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [ami.name]}])["Images"]
    for image in images:
        if _tags(image).get(RELEASE_TAG) != ami.release:
            raise PublishError(
                f"the name {ami.name} is taken by {image['ImageId']}, which was made from another release",
                hint="release under a new --version",
            )
    return images[0]["ImageId"] if images else None


def register(ec2: EC2Client, ami: Ami, snapshot: str) -> str:
    """Make the image from its snapshot; returns its id."""
    return ec2.register_image(
        Name=ami.name,
        Description=ami.description,
        Architecture="arm64" if ami.arch == "arm64" else "x86_64",
        VirtualizationType="hvm",
        EnaSupport=True,
        SriovNetSupport="simple",
        BootMode=ami.boot_mode,
        ImdsSupport="v2.0",
        RootDeviceName=ROOT_DEVICE,
        BlockDeviceMappings=[
            {
                "DeviceName": ROOT_DEVICE,
                "Ebs": {
                    "SnapshotId": snapshot,
                    "VolumeSize": volume_gib(ami.size),
                    "VolumeType": "gp3",
                    "DeleteOnTermination": True,
                },
            }
        ],
        TagSpecifications=ami.specification("image"),
    )["ImageId"]


def copy(ec2: EC2Client, ami: Ami, image: str, source: str, region: str) -> str:
    """Copy the image of region ``source`` into ``region``, the client's; returns the copy's id."""
    return ec2.copy_image(
        Name=ami.name,
        Description=ami.description,
        SourceImageId=image,
        SourceRegion=source,
        ClientToken=ami.token("copy", region),
        TagSpecifications=ami.specification("image", "snapshot"),
    )["ImageId"]


def wait_available(
    clients: Clients, region: str, image: str, sleep: Callable[[float], None], clock: Callable[[], float]
) -> None:
    """Poll an image until it can be launched.

    Raises:
        PublishError: It failed, or took longer than the limits allow.
    """
    deadline = clock() + clients.limits.timeout
    while True:
        state = _state(clients.ec2(region), image)
        if state == "available":
            return
        if state in ("failed", "error", "invalid", "deregistered"):
            raise PublishError(
                f"{image} in {region} became {state}", hint=f"aws ec2 describe-images --image-ids {image}"
            )
        if clock() > deadline:
            raise PublishError(f"{image} in {region} is still {state} after {clients.limits.timeout:.0f} s")
        sleep(clients.limits.poll)


def faults(image: ImageTypeDef, ami: Ami, snapshot: str | None) -> list[str]:
    """Every way in which a published image differs from its specification.

    Args:
        image: As DescribeImages shows it.
        ami: Its specification.
        snapshot: The snapshot it must be made from; None where AWS made the snapshot (a copy).
    """
    disks = image.get("BlockDeviceMappings", [])
    disk: EbsBlockDeviceTypeDef = disks[0].get("Ebs", {}) if disks else {}
    shown = {
        "name": (ami.name, image.get("Name")),
        "architecture": (ARCHITECTURES[ami.arch], image.get("Architecture")),
        "boot mode": (ami.boot_mode, image.get("BootMode")),
        "IMDS": ("v2.0", image.get("ImdsSupport")),
        "ENA": (True, image.get("EnaSupport")),
        "root device": (ROOT_DEVICE, image.get("RootDeviceName")),
        "volume type": ("gp3", disk.get("VolumeType")),
        "volume size": (volume_gib(ami.size), disk.get("VolumeSize")),
        "deleted with its instance": (True, disk.get("DeleteOnTermination")),
        "deprecation date": (True, bool(image.get("DeprecationTime"))),
        **{f"tag {key}": (value, _tags(image).get(key)) for key, value in ami.tags().items()},
    }
    if snapshot is not None:
        shown["snapshot"] = (snapshot, disk.get("SnapshotId"))
    return [f"{what} is {held!r}, not {due!r}" for what, (due, held) in shown.items() if due != held]


def check(ec2: EC2Client, image: str, ami: Ami, snapshot: str | None) -> None:
    """Read a published image back and compare.

    Raises:
        PublishError: It differs; the message lists every difference.
    """
    with aws_errors(f"reading {image} back"):
        shown = ec2.describe_images(ImageIds=[image])["Images"]
    wrong = faults(shown[0], ami, snapshot) if shown else ["it is not there"]
    if wrong:
        raise PublishError(f"{image} is not what was published: {'; '.join(wrong)}")


def _state(ec2: EC2Client, image: str) -> str:
    """The image's state; `pending` while a region does not yet know the image it has just made."""
    with aws_errors(f"looking at {image}"):
        try:
            images = ec2.describe_images(ImageIds=[image])["Images"]
        except ClientError as refused:
            if error_code(refused) == "InvalidAMIID.NotFound":
                return "pending"
            raise
    return images[0]["State"] if images else "pending"


def _tags(image: ImageTypeDef) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in image.get("Tags", [])}

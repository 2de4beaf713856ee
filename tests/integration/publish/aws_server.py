"""moto's server, taught what it leaves out of EC2 and EBS direct, so that our claims can fail.

Run as a program: prints the port it listens on, then serves until it is killed.  moto 5.2 keeps
nothing of RegisterImage but the name, ignores client tokens, parents and checksums, calls every
snapshot completed at once, and does not know EnableImageDeprecation.  What is added here follows
Amazon's API reference; a call that Amazon would refuse is refused.  Not covered, here or by moto:
eventual consistency, the minutes that copies take, quotas, KMS, permissions.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ebs.models import EBSBackend, EBSSnapshot
from moto.ebs.responses import EBSResponse
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.responses.amis import AmisResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BLOCK_SIZE = 512 * 1024


def refuse(code: str, message: str) -> None:
    """Answer with an error of the service's own model."""
    raise ServiceException(code, message)


class Snapshots:
    """EBS direct: tokens, parents, checksums and states."""

    @staticmethod
    def start(response: EBSResponse) -> ActionResult:
        """StartSnapshot, once per client token."""
        backend = response.ebs_backend
        tokens = backend.__dict__.setdefault("tokens", {})
        token = response._get_param("ClientToken")
        if token not in tokens:
            snapshot = backend.start_snapshot(
                volume_size=response._get_param("VolumeSize"),
                tags=response._get_param("Tags"),
                description=response._get_param("Description"),
            )
            # Amazon ends a snapshot that nobody writes to; a test asks for one of these by its description.
            state = "error" if snapshot.description == "given up" else "pending"
            backend.ec2_backend.snapshots[snapshot.snapshot_id].status = state
            snapshot.__dict__["own"] = set()
            if parent := response._get_param("ParentSnapshotId"):
                snapshot.blocks.update(backend.snapshots[parent].blocks)
            tokens[token] = snapshot
        held: EBSSnapshot = tokens[token]
        return ActionResult(
            {"SnapshotId": held.snapshot_id, "Status": held.status, "VolumeSize": held.volume_size,
             "BlockSize": BLOCK_SIZE, "Tags": held.tags}
        )  # fmt: skip

    @staticmethod
    def put(backend: EBSBackend, snapshot_id: str, block_index: Any, block_data: bytes, **given: Any) -> Any:
        """PutSnapshotBlock, with the checksum it was sent with."""
        if snapshot_id not in backend.snapshots:
            refuse("ResourceNotFoundException", f"The snapshot {snapshot_id} does not exist")
        snapshot = backend.snapshots[snapshot_id]
        if snapshot.status != "pending":
            refuse("ConflictException", f"The snapshot {snapshot_id} is not pending")
        digest = base64.b64encode(hashlib.sha256(block_data).digest()).decode()
        if digest != given["checksum"] or len(block_data) != BLOCK_SIZE:
            refuse("ValidationException", "The block does not have the size and checksum it was sent with")
        snapshot.put_block(int(block_index), block_data, digest, "SHA256", BLOCK_SIZE)
        snapshot.__dict__["own"].add(int(block_index))
        return digest, "SHA256"

    @staticmethod
    def complete(response: EBSResponse) -> ActionResult:
        """CompleteSnapshot, with the number and checksum of all blocks."""
        backend = response.ebs_backend
        snapshot = backend.snapshots[response._get_param("SnapshotId")]
        if snapshot.status != "pending":
            refuse("ConflictException", f"The snapshot {snapshot.snapshot_id} is not pending")
        own: set[int] = snapshot.__dict__["own"]
        joined = b"".join(base64.b64decode(snapshot.blocks[index].checksum or "") for index in sorted(own))
        checksum = base64.b64encode(hashlib.sha256(joined).digest()).decode()
        if int(response._get_param("ChangedBlocksCount")) != len(own):
            refuse("ValidationException", "ChangedBlocksCount is not the number of blocks that were written")
        if response._get_param("Checksum") != checksum:
            refuse("ValidationException", "The checksum is not that of the blocks that were written")
        snapshot.status = "completed"
        backend.ec2_backend.snapshots[snapshot.snapshot_id].status = "completed"
        return ActionResult({"Status": "completed"})


class Images:
    """EC2: an image remembers how it was registered, a copy is made once per token."""

    @staticmethod
    def register(response: AmisResponse) -> ActionResult:
        """RegisterImage, with everything it was given."""
        name = response._get_param("Name")
        if any(image.name == name for image in response.ec2_backend.amis.values()):
            refuse("InvalidAMIName.Duplicate", f"AMI name {name} is already in use")
        disk = response._get_param("BlockDeviceMappings")[0]
        held = response.ec2_backend.snapshots[disk["Ebs"]["SnapshotId"]]
        if held.status != "completed":
            refuse("InvalidSnapshot.NotFound", f"The snapshot {held.id} is not completed")
        image = response.ec2_backend.register_image(name, response._get_param("Description"))
        image.__dict__["disk"] = disk
        image.architecture = response._get_param("Architecture")
        image.boot_mode = response._get_param("BootMode")
        image.root_device_name = response._get_param("RootDeviceName")
        image.__dict__["imds_support"] = response._get_param("ImdsSupport")
        image.__dict__["ena_support"] = response._get_param("EnaSupport")
        Images.tag(image, response._get_param("TagSpecifications", []), "image")
        return ActionResult({"ImageId": image.id})

    @staticmethod
    def copy(response: AmisResponse) -> ActionResult:
        """CopyImage, once per client token."""
        backend = response.ec2_backend
        tokens = backend.__dict__.setdefault("tokens", {})
        token = response._get_param("ClientToken")
        if token not in tokens:
            region, source_id = response._get_param("SourceRegion"), response._get_param("SourceImageId")
            source = ec2_backends[response.current_account][region].amis[source_id]
            name, text = response._get_param("Name"), response._get_param("Description")
            image = backend.copy_image(source_id, region, name, text)
            disk = source.__dict__["disk"]
            image.__dict__["disk"] = {**disk, "Ebs": {**disk["Ebs"], "SnapshotId": image.ebs_snapshot.id}}
            image.boot_mode, image.root_device_name = source.boot_mode, source.root_device_name
            for kept in ("imds_support", "ena_support"):
                image.__dict__[kept] = source.__dict__[kept]
            specifications = response._get_param("TagSpecifications", [])
            Images.tag(image, specifications, "image")
            Images.tag(image.ebs_snapshot, specifications, "snapshot")
            tokens[token] = image
        return ActionResult({"ImageId": tokens[token].id})

    @staticmethod
    def deprecate(response: AmisResponse) -> ActionResult:
        """EnableImageDeprecation, which moto does not know."""
        image = response.ec2_backend.amis[response._get_param("ImageId")]
        image.__dict__["deprecation_time"] = response._get_param("DeprecateAt")
        return ActionResult({"Return": True})

    @staticmethod
    def tag(resource: Any, specifications: list[dict[str, Any]], kind: str) -> None:
        """Give a resource the tags meant for its kind."""
        for specification in specifications:
            if specification["ResourceType"] == kind:
                resource.add_tags({tag["Key"]: tag["Value"] for tag in specification["Tags"]})

    @staticmethod
    def disks(image: Ami) -> list[dict[str, Any]]:
        """The block device mapping it was registered with."""
        return [image.__dict__["disk"]] if "disk" in image.__dict__ else []


def teach() -> None:
    """Put the missing parts in place of moto's."""
    for owner, name, better in (
        (EBSResponse, "start_snapshot", Snapshots.start),
        (EBSResponse, "complete_snapshot", Snapshots.complete),
        (EBSBackend, "put_snapshot_block", Snapshots.put),
        (AmisResponse, "register_image", Images.register),
        (AmisResponse, "copy_image", Images.copy),
        (AmisResponse, "enable_image_deprecation", Images.deprecate),
        (Ami, "block_device_mappings", property(Images.disks)),
    ):
        setattr(owner, name, better)


class Quiet(WSGIRequestHandler):
    """Keeps connections open, as Amazon does, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


if __name__ == "__main__":
    teach()
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()

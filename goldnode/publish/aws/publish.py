"""One release as AMIs: a snapshot in the home region, an image, copies in parallel, then the pointers.

Nothing points at an image that was not read back and found correct.  A region that fails is named,
and the others stay; running the same command again continues with it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from goldnode.errors import PublishError
from goldnode.publish.aws import image, pointer
from goldnode.publish.aws.clients import aws_errors, error_code
from goldnode.publish.aws.publication import Publication
from goldnode.publish.aws.snapshot import completed_snapshot
from goldnode.publish.ledger import Facts


def publish(work: Publication) -> dict[str, str]:
    """Publish an image in every region; resume, or do nothing, if that was done before.

    Returns:
        The image's id in every region.

    Raises:
        PublishError: The home region failed, or some others did; names those, and the ones that are published.
    """
    snapshot = completed_snapshot(work)
    with work.progress.step(f"registering the image in {work.home}"):
        source = work.once(
            f"{work.home}/image", "ImageId", lambda: _find(work, work.home), lambda: _register(work, snapshot)
        )
        image.wait_available(work.clients, work.home, source, work.sleep, work.clock)
    images: dict[str, str] = {}
    failed: dict[str, str] = {}
    with work.progress.step(f"publishing in {', '.join(work.regions)}"), ThreadPoolExecutor(len(work.regions)) as pool:
        jobs = {region: pool.submit(_region, work, region, source, snapshot) for region in work.regions}
        for region, job in jobs.items():
            try:
                images[region] = job.result()
            except PublishError as failure:
                failed[region] = failure.message
    if failed:
        reasons = "\n".join(f"  {region}: {why}" for region, why in failed.items())
        raise PublishError(
            f"{work.ami.name} is published in {', '.join(images) or 'no region'}, but not in:\n{reasons}",
            hint="run the same command again: it continues with what is missing",
        )
    return images


def _region(work: Publication, region: str, source: str, snapshot: str) -> str:
    """One region, up to its pointers; the home region has its image already."""
    ami, ec2, ssm = work.ami, work.clients.ec2(region), work.clients.ssm(region)
    if region == work.home:
        held = source
    else:
        held = work.once(f"{region}/image", "ImageId", lambda: _find(work, region), lambda: _copy(work, source, region))
        image.wait_available(work.clients, region, held, work.sleep, work.clock)
    work.ledger.once(f"{region}/deprecate", lambda: _deprecate(work, region, held))
    image.check(ec2, held, ami, snapshot if region == work.home else None)
    with aws_errors(f"writing parameters in {region}"):
        work.ledger.once(f"{region}/version", lambda: pointer.name_version(ssm, ami, held))
        work.ledger.once(f"{region}/latest", lambda: pointer.name_latest(ssm, ami, held))
    if pointer.read(ssm, pointer.parameter(ami, ami.version)) != held:
        raise PublishError(f"{pointer.parameter(ami, ami.version)} in {region} does not name {held}")
    return held


def _find(work: Publication, region: str) -> str | None:
    with aws_errors(f"looking for {work.ami.name} in {region}"):
        return image.find(work.clients.ec2(region), work.ami)


def _register(work: Publication, snapshot: str) -> str:
    ec2 = work.clients.ec2(work.home)
    with aws_errors(f"registering the image in {work.home}"):
        try:
            return image.register(ec2, work.ami, snapshot)
        except ClientError as refused:
            # RegisterImage takes no client token: our own attempt, whose answer was lost, may have taken the name.
            if error_code(refused) == "InvalidAMIName.Duplicate" and (held := image.find(ec2, work.ami)):
                return held
            raise


def _copy(work: Publication, source: str, region: str) -> str:
    with aws_errors(f"copying the image to {region}"):
        return image.copy(work.clients.ec2(region), work.ami, source, work.home, region)


def _deprecate(work: Publication, region: str, held: str) -> Facts:
    with aws_errors(f"setting the deprecation date of {held} in {region}"):
        work.clients.ec2(region).enable_image_deprecation(ImageId=held, DeprecateAt=work.deprecate_at)
    return {"at": work.deprecate_at.isoformat()}

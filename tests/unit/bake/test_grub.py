"""GRUB's boot sector and core, as told where they lie."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from goldnode.bake import grub


@given(st.just(bytes(range(256)) * 2), st.integers(0, 2**64 - 1))
def test_boot_code(boot: bytes, sector: int) -> None:
    """Only the core's sector is written into the boot sector, and the partition table is left alone."""
    code = grub.boot_code(boot, sector)

    assert grub.BOOT_CODE == len(code)
    assert sector == struct.unpack_from("<Q", code, grub.KERNEL_SECTOR)[0]
    assert boot[: grub.KERNEL_SECTOR] == code[: grub.KERNEL_SECTOR]
    assert boot[grub.KERNEL_SECTOR + 8 : grub.BOOT_CODE] == code[grub.KERNEL_SECTOR + 8 :]


@given(st.integers(513, 4096).map(lambda size: (bytes(range(256)) * 16)[:size]), st.integers(0, 2**40))
def test_blocklist(core: bytes, sector: int) -> None:
    """The first sector names every further one, right behind it; all other bytes stay."""
    told = grub.with_blocklist(core, sector)
    start, sectors, segment = struct.unpack_from("<QHH", told, grub.SECTOR - 12)

    assert (sector + 1, 0x820) == (start, segment)
    assert sectors * grub.SECTOR < len(core) <= (sectors + 1) * grub.SECTOR
    assert core[: grub.SECTOR - 12] + core[grub.SECTOR :] == told[: grub.SECTOR - 12] + told[grub.SECTOR :]

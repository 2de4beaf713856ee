"""User-data as consoles, editors and scripts hand it over: what it says of /etc/goldnode is found."""

from __future__ import annotations

import base64
import codecs
import gzip
import json
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.node import user_data
from goldnode.node.layout import Layout

NODE_YAML = "version: 1\nrole: sentry\nname: s-1 # naïve\n"
CONFIG = "#cloud-config\nwrite_files:\n  - path: /etc/goldnode/node.yaml\n    content: |\n" + "".join(
    f"      {line}\n" for line in NODE_YAML.splitlines()
)
GENESIS = (
    "#cloud-config\nwrite_files:\n  - path: /etc/goldnode/genesis.json\n    encoding: gz+b64\n    content: "
    + base64.b64encode(gzip.compress(b"{}")).decode()
)
WRAPS = {
    "byte-order mark": lambda data: codecs.BOM_UTF8 + data,
    "utf-16": lambda data: data.decode().encode("utf-16"),
    "utf-16 without a mark": lambda data: data.decode().encode("utf-16-le"),
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "gzip": gzip.compress,
}


def recovered(folder: Path, raw: bytes) -> dict[str, str]:
    """The files below /etc/goldnode after a boot with this user-data."""
    layout = Layout(folder)
    layout.at(user_data.RAW).parent.mkdir(parents=True, exist_ok=True)
    layout.at(user_data.RAW).write_bytes(raw)
    user_data.recover(layout)
    return {path.name: path.read_text() for path in sorted(layout.at("/etc/goldnode").glob("*"))}


def parts(*texts: str) -> bytes:
    """Several documents in one, as cloud-init's own tool makes them."""
    message = MIMEMultipart()
    for text in texts:
        message.attach(MIMEText(text, "cloud-config"))
    return message.as_bytes()


@pytest.mark.parametrize("kind", WRAPS)
def test_wrapped_text_is_read(tmp_path: Path, kind: str) -> None:
    """Each way in which user-data is handed over, alone and as base64 of that."""
    once = WRAPS[kind](CONFIG.encode())

    assert {"node.yaml": NODE_YAML} == recovered(tmp_path / "once", once)
    assert {"node.yaml": NODE_YAML} == recovered(tmp_path / "twice", base64.b64encode(once))


def test_two_parts_with_files_have_both(tmp_path: Path) -> None:
    """Where cloud-init lets the second list replace the first, both are read."""
    assert {"genesis.json": "{}", "node.yaml": NODE_YAML} == recovered(tmp_path, parts(CONFIG, GENESIS))


def test_nothing_that_exists_is_replaced(tmp_path: Path) -> None:
    """What cloud-init or a person wrote counts."""
    layout = Layout(tmp_path)
    layout.node_yaml.parent.mkdir(parents=True)
    layout.node_yaml.write_text("mine")

    assert {"node.yaml": "mine"} == recovered(tmp_path, codecs.BOM_UTF8 + CONFIG.encode())


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/goldnode/../passwd", "/etc/goldnode", "etc/goldnode/x", "7"])
def test_other_files_are_cloud_inits(tmp_path: Path, path: str) -> None:
    """Only what is below /etc/goldnode is ours to write."""
    text = f"#cloud-config\nwrite_files:\n  - path: {path}\n    content: x\n"

    assert {} == recovered(tmp_path, text.encode())
    assert not (tmp_path / "etc" / "passwd").exists()


@given(raw=st.binary(max_size=200) | st.binary(max_size=99).map(base64.b64encode) | st.text().map(str.encode))
def test_whatever_else_is_handed_over_is_no_crash(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Scripts, noise and half a document are nobody's node.yaml."""
    assert {} == recovered(tmp_path_factory.mktemp("machine"), raw)


@given(
    entry=st.recursive(
        st.none() | st.integers() | st.text(max_size=9), lambda x: st.lists(x) | st.dictionaries(st.text(max_size=9), x)
    )
)
def test_any_write_files_is_no_crash(tmp_path_factory: pytest.TempPathFactory, entry: object) -> None:
    """Whatever stands at write_files."""
    text = f"#cloud-config\n{json.dumps({'write_files': entry})}"

    assert {} == recovered(tmp_path_factory.mktemp("machine"), text.encode())


def test_cloud_inits_own_words_are_quoted(tmp_path: Path) -> None:
    """Its warnings and errors, once each; its deprecation notices not."""
    layout = Layout(tmp_path)
    path = layout.at(user_data.STATUS)
    path.parent.mkdir(parents=True)
    stage = {"errors": ["broken"], "recoverable_errors": {"WARNING": ["odd", "odd"], "DEPRECATED": ["old"]}}
    path.write_text(json.dumps({"v1": {"init": stage, "stage": None, "datasource": "x"}}))

    assert ["cloud-init says: broken", "cloud-init says: odd"] == user_data.warnings(layout)

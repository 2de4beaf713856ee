"""Invites for Terraform: in a file for one pair of eyes, which keeps what it has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goldnode.cluster import tfvars
from goldnode.errors import InputError, UsageError


def test_invites_are_added(tmp_path: Path) -> None:
    """New machines come to those that are there, and what else a person wrote stays; nobody else may read it."""
    file = tmp_path / "mine.auto.tfvars.json"
    file.write_text(json.dumps({"image": "ami-1", "invites": {"sentry-1": "gn1_a"}}))
    tfvars.add(file, ["http://203.0.113.10:8700"], {"val-1": "gn1_b"})

    expected = {"image": "ami-1", "invites": {"sentry-1": "gn1_a", "val-1": "gn1_b"}}
    assert {**expected, "rendezvous": ["http://203.0.113.10:8700"]} == json.loads(file.read_text())
    assert 0o600 == file.stat().st_mode & 0o777


@pytest.mark.parametrize("content", ["{", "[]", '{"invites": []}'])
def test_what_is_no_file_of_variables_is_left_alone(content: str, tmp_path: Path) -> None:
    """Nothing that could be somebody's work is replaced."""
    file = tmp_path / "x.tfvars.json"
    file.write_text(content)

    with pytest.raises(InputError):
        tfvars.add(file, [], {"a": "gn1_b"})
    assert content == file.read_text()


def test_terraform_would_not_read_it(tmp_path: Path) -> None:
    """A name that Terraform takes for its own language is refused before an invite is made."""
    with pytest.raises(UsageError, match=r"\.tfvars\.json"):
        tfvars.require_name(tmp_path / "mine.tfvars")

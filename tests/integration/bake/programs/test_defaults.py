"""A daemon's default configuration, made without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.bake.programs import defaults
from goldnode.config import network
from goldnode.config.network import Network

#: Stands in for a daemon whose ``init`` looks around: it writes the interfaces it sees into its configuration.
NOSY = """#!/bin/sh
set -e
while [ "$1" != --home ]; do shift; done
mkdir -p "$2/config"
echo 'moniker = "builder-7"' >"$2/config/config.toml"
sed -n '3,$s/^ *\\([a-z0-9]*\\):.*/# sees \\1/p' /proc/net/dev >>"$2/config/config.toml"
echo 'not = = toml' >"$2/config/app.toml"
echo '{}' >"$2/config/node_key.json"
"""


def daemon(folder: Path, script: str) -> Path:
    """An executable."""
    path = folder / "nosyd"
    path.write_text(script)
    path.chmod(0o755)
    return path


def public() -> Network:
    """A network with a genesis of its own: its init may fetch things."""
    document = dict(network.load("localnet").document)
    return Network.from_document({**document, "genesis": {"url": "https://example.org/g", "sha256": "ab" * 32}})


def test_init_sees_no_network_and_only_toml_is_kept(tmp_path: Path) -> None:
    """Nothing but loopback is there, the builder's name is gone, keys are not kept."""
    made = defaults.default_configs(daemon(tmp_path, NOSY), public(), {})

    assert sorted(made) == ["app.toml", "config.toml"]
    assert made["config.toml"] == b'moniker = "node"\n# sees lo\n'
    assert made["app.toml"] == b"not = = toml\n"


def test_an_init_that_fails_leaves_the_matter_to_the_node(tmp_path: Path) -> None:
    """No default configuration is no error: the node makes it at its first boot."""
    assert defaults.default_configs(daemon(tmp_path, "#!/bin/sh\nexit 1\n"), public(), {}) == {}


def test_without_isolation_only_a_private_network_is_initialised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where namespaces are forbidden, a daemon that might fetch things is not run at all."""
    monkeypatch.setattr(defaults, "isolation", lambda: None)
    binary = daemon(tmp_path, NOSY)

    assert defaults.default_configs(binary, public(), {}) == {}
    assert "config.toml" in defaults.default_configs(binary, network.load("localnet"), {})


def test_a_host_that_forbids_namespaces_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program, or the permission, there is no way."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    defaults.isolation.cache_clear()

    assert defaults.isolation() is None

    defaults.isolation.cache_clear()


@pytest.mark.parametrize(("name", "expected"), [("localnet", ["init", "--home"]), ("localwasm", ["init", "node"])])
def test_each_family_has_its_own_init(name: str, expected: list[str]) -> None:
    """CometBFT wants no moniker, the SDK does."""
    assert defaults.init_args(network.load(name), Path("/home"))[:2] == expected

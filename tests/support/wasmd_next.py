"""A second build of localwasm's daemon: the same pinned source, another version, and two upgrade handlers more.

``next`` runs the migrations, as a real release does; ``broken`` fails, as a release nobody tested does.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from goldnode.bake.programs import gomodule
from goldnode.bake.programs.build_cache import cached, is_whole, record, remove
from goldnode.bake.programs.toolchain import go
from goldnode.config import network
from goldnode.files import write_atomic
from goldnode.node.system.machine import architecture
from goldnode.paths import cache
from goldnode.progress import SILENT
from goldnode.run import run

#: What it answers, and the plans that it knows.
VERSION = "0.62.0"
GOOD, BROKEN = "next", "broken"
#: Set in the environment of a process that is to know the broken plan.
SWITCH = "WASMD_BROKEN"

_FILE = "app/upgrades.go"
_BEFORE = "var Upgrades = []upgrades.Upgrade{v060.Upgrade}"
_AFTER = f"""var Upgrades = append([]upgrades.Upgrade{{v060.Upgrade, noop.NewUpgrade("{GOOD}")}}, untested()...)

// A daemon that knows a plan before its height refuses to run, so only some processes of this build know this one.
func untested() []upgrades.Upgrade {{
	if os.Getenv("{SWITCH}") == "" {{
		return nil
	}}
	return []upgrades.Upgrade{{broken()}}
}}

func broken() upgrades.Upgrade {{
	made := noop.NewUpgrade("{BROKEN}")
	made.CreateUpgradeHandler = func(
		upgrades.ModuleManager, module.Configurator, *upgrades.AppKeepers,
	) upgradetypes.UpgradeHandler {{
		return func(context.Context, upgradetypes.Plan, module.VersionMap) (module.VersionMap, error) {{
			return nil, errors.New("this release was never tested")
		}}
	}}
	return made
}}"""
_IMPORTS = 'import (\n\t"context"\n\t"errors"\n\t"fmt"\n\t"os"\n\n\t"github.com/cosmos/cosmos-sdk/types/module"\n'


def build() -> gomodule.BuiltModule:
    """Have it, from the cache or freshly built; most of it is what the first build left in Go's own cache."""
    daemon, arch = network.load("localwasm").daemon, architecture()
    assert daemon.source
    flags = tuple(flag.replace(daemon.version, VERSION) for flag in daemon.source.ldflags)
    source = replace(daemon.source, ldflags=flags)
    changed = hashlib.sha256((gomodule.key(daemon, source, arch, "") + _AFTER + _IMPORTS).encode()).hexdigest()
    home = cache() / "builds" / changed

    def make(draft: Path) -> None:
        env, program = gomodule.environment(source, arch), go(SILENT)
        tree = gomodule.download(source.module, source.version, source.sum, go=program, env=env)
        shipped = gomodule._take(daemon.libraries, arch, draft / "lib", program)
        env["LIBRARY_PATH"] = str(draft / "lib")
        work = draft / "source"
        shutil.copytree(tree, work, copy_function=shutil.copyfile)
        text = (work / _FILE).read_text()
        assert text.count(_BEFORE) == text.count('import (\n\t"fmt"\n') == 1
        (work / _FILE).chmod(0o644)
        write_atomic(work / _FILE, text.replace(_BEFORE, _AFTER).replace('import (\n\t"fmt"\n', _IMPORTS))
        run([program, *gomodule.command(source, draft / daemon.name)], cwd=work, env=env, timeout=1500)
        remove(work)
        record(draft, [draft / daemon.name, *shipped])

    cached(home, is_whole, make)
    return gomodule.BuiltModule(home / daemon.name, (home / "lib" / "libwasmvm.so",))

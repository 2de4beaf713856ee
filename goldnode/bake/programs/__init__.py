"""Where the programs of an image come from: a release, a source build, jars, a crate."""

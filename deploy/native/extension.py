"""`python -m deploy.native.extension FOLDER`: translates the hot modules to C and compiles them, beside their sources.

A process of its own, because the translator ends the process when it finds a fault. FOLDER holds what is in between.
"""

import os
import sys

from mypyc.build import mypycify
from setuptools import setup  # type: ignore[import-untyped]  # it has no stubs

from deploy.native.modules import GROUP, ROOT, hot_modules


def main(folder: str) -> None:
    os.chdir(ROOT)
    # Debug information would double the time and triple the size.
    os.environ["CFLAGS"] = f"{os.environ.get('CFLAGS', '')} -g0"
    options = ["--config-file=", "--ignore-missing-imports", f"--cache-dir={folder}/types"]
    setup(
        name=GROUP,
        packages=[],
        py_modules=[],
        ext_modules=mypycify(
            [*options, *hot_modules()],
            opt_level="2",
            debug_level="0",
            group_name=GROUP,
            target_dir=f"{folder}/c",
        ),
        script_args=["--quiet", "build_ext", "--inplace", "--parallel=2", f"--build-temp={folder}/objects"],
    )


if __name__ == "__main__":
    main(sys.argv[1])

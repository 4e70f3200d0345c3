"""`systemctl` on a machine without systemd: keeps what it was told, and on `restart` runs the unit as systemd would.

Run by path, with the folders of units and of its own records before systemctl's arguments.
"""

import configparser
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path


def main(units: Path, records: Path, arguments: list[str]) -> None:
    with (records / "told").open("a", encoding="utf-8") as told:
        told.write(json.dumps(arguments) + "\n")
    if arguments[0] == "restart":
        process = start(units / arguments[1])
        (records / "pid").write_text(str(process.pid), encoding="ascii")


def start(file: Path) -> "subprocess.Popen[bytes]":
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # names keep their case
    unit.read_string(file.read_text(encoding="utf-8"))
    service = unit["Service"]
    lines = Path(service["EnvironmentFile"]).read_text(encoding="utf-8").splitlines()
    named = dict(shlex.split(line)[0].split("=", 1) for line in lines)
    return subprocess.Popen(
        shlex.split(service["ExecStart"]),
        cwd=service["WorkingDirectory"],
        env={"PATH": os.defpath, **named},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

"""The systemd units: known keys and values, programs that the images have, and little left to give away."""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# systemd's own measure, 0 (nothing left) to 10; above 2 somebody has taken a line out.
EXPOSURE = 2.0
PROGRAMS = {"gateway", "worker", "reelgate"}


def told(*command):
    run = subprocess.run(command, capture_output=True, text=True)
    return run.stdout + run.stderr


def verify(unit, text, folder):
    """systemd wants the program to be there, so a stand-in is."""
    program = re.search(r"^ExecStart=/usr/local/bin/(\S+)", text, re.M).group(1)
    assert program in PROGRAMS, f"{unit.name}: no image has {program}"
    copy = folder / unit.name
    copy.write_text(text.replace(f"ExecStart=/usr/local/bin/{program}", "ExecStart=/bin/true"))
    complaints = told("systemd-analyze", "verify", "--man=no", str(copy))
    assert not complaints.strip(), f"{unit.name}: {complaints}"
    report = told("systemd-analyze", "security", "--offline=true", "--no-pager", str(copy))
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", report).group(1))
    assert exposure <= EXPOSURE, f"{unit.name}: exposure {exposure}\n{report}"
    print(f"ok    {unit.name}: exposure {exposure}")


def refuses_a_misspelt_key(unit, text, folder):
    copy = folder / f"misspelt-{unit.name}"
    copy.write_text(re.sub(r"^ExecStart=\S+.*$", "ExecStart=/bin/true\nProtectHomes=yes", text, flags=re.M))
    assert "ProtectHomes" in told("systemd-analyze", "verify", "--man=no", str(copy)), "a misspelt key passes"


def main():
    units = sorted((ROOT / "deploy/systemd").glob("*.service"))
    assert len(units) == 4, units
    with tempfile.TemporaryDirectory() as folder:
        for unit in units:
            text = unit.read_text()
            verify(unit, text, pathlib.Path(folder))
            refuses_a_misspelt_key(unit, text, pathlib.Path(folder))
    # Tasks shut themselves in, which systemd's lists of this Debian do not know.
    for name in ("worker", "all"):
        text = (ROOT / f"deploy/systemd/reelgate-{name}.service").read_text()
        for call in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"):
            assert call in text, f"{name}: {call} is not let through"


if __name__ == "__main__":
    sys.exit(main())

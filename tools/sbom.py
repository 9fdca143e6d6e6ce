"""Writes a software bill of materials (CycloneDX, JSON) of what `uv.lock` installs; needs no network.

    uv run python tools/sbom.py --out sbom.cdx.json [--extra gui] [--all]

Known vulnerabilities of the same list (pip-audit, which asks PyPI, or an OSV server, about one package after another):

    uv run python tools/sbom.py --vulnerabilities [--extra gui] [--all] [--only numpy ...]
    uv run python tools/sbom.py --vulnerabilities --osv https://api.osv.dev/v1/query

Exit code 0: none is known; 1: some are, each with the version that mends it; 2: the service did not answer, or does not
know a package, so that nothing can be said of it. A mirror of PyPI that has no JSON API does not know any.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[1]


def reachable(packages: dict[str, dict[str, Any]], extras: Iterable[str], *, everything: bool) -> set[str]:
    """Return the names that an installation of bcikit with these extras brings."""
    if everything:
        return set(packages)
    root = packages["openbcikit"]
    wanted = [item["name"] for item in root.get("dependencies", [])]
    for extra in extras:
        wanted += [item["name"] for item in root.get("optional-dependencies", {})[extra]]
    found = {"openbcikit"}
    while wanted:
        name = wanted.pop()
        if name not in found and name in packages:
            found.add(name)
            wanted += [item["name"] for item in packages[name].get("dependencies", [])]
    return found


def bill(lock: dict[str, Any], extras: Iterable[str], *, everything: bool) -> Bom:
    """Return the bill of materials of a parsed `uv.lock`."""
    packages = {package["name"]: package for package in lock["package"]}
    names = reachable(packages, extras, everything=everything)
    components: dict[str, Component] = {}
    for name in sorted(names):
        package = packages[name]
        archive = package.get("sdist") or next(iter(package.get("wheels", [])), {})
        kind, _, digest = archive.get("hash", "").partition(":")
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest)] if kind == "sha256" else []
        components[name] = Component(
            name=name,
            version=package.get("version", "0"),
            type=ComponentType.APPLICATION if name == "openbcikit" else ComponentType.LIBRARY,
            purl=PackageURL("pypi", None, name, package.get("version", "0")),
            bom_ref=f"{name}@{package.get('version', '0')}",
            hashes=hashes,
        )
    bom = Bom(components=[component for name, component in components.items() if name != "openbcikit"])
    bom.metadata.component = components["openbcikit"]
    for name, component in components.items():
        needs = [item["name"] for item in packages[name].get("dependencies", [])]
        bom.register_dependency(component, [components[need] for need in dict.fromkeys(needs) if need in components])
    return bom


def vulnerabilities(bom: Bom, only: Iterable[str], *, osv: str = "") -> int:
    """Print what is known against the packages of a bill and return the exit code.

    Parameters
    ----------
    bom : Bom
        What is installed, in the versions of the lock file.
    only : iterable of str
        Names to ask about; all if empty.
    osv : str
        Address of an OSV server; PyPI is asked if empty.
    """
    wanted = set(only)
    pins = [f"{part.name}=={part.version}" for part in bom.components if not wanted or part.name in wanted]
    with tempfile.TemporaryDirectory() as folder:
        listed, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        listed.write_text("\n".join(sorted(pins)), "utf-8")
        command = [sys.executable, "-m", "pip_audit", "-r", str(listed), "--no-deps", "--disable-pip"]
        command += ["--progress-spinner", "off", "-f", "json", "-o", str(report)]
        command += ["-s", "osv", "--osv-url", osv] if osv else []
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
        if not report.is_file():
            print(f"The vulnerability service did not answer; nothing is known.\n{done.stderr.strip()[-500:]}")
            return 2
        found = json.loads(report.read_text("utf-8"))["dependencies"]
    bad = [item for item in found if item.get("vulns")]
    for item in bad:
        for known in item["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no version"
            print(f"{item['name']} {item['version']}: {known['id']}, mended in {mended}")
    skipped = [f"{item['name']} ({item['skip_reason']})" for item in found if "skip_reason" in item]
    print(f"{len(found) - len(skipped)} of {len(found)} packages were looked up; {len(bad)} have known vulnerabilities")
    if skipped:
        print("Nothing is known of these:", *skipped, sep="\n  ")
    return 1 if bad else 2 if skipped else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("sbom.cdx.json"))
    parser.add_argument("--extra", action="append", default=[], help="an extra of bcikit; may be repeated")
    parser.add_argument("--all", action="store_true", help="everything in the lock file, development included")
    parser.add_argument("--vulnerabilities", action="store_true", help="ask PyPI what is known against the packages")
    parser.add_argument("--osv", default="", metavar="URL", help="ask this OSV server instead of PyPI")
    parser.add_argument("--only", action="append", default=[], help="ask about this package only; may be repeated")
    arguments = parser.parse_args()
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    bom = bill(lock, arguments.extra, everything=arguments.all)
    if arguments.vulnerabilities:
        return vulnerabilities(bom, arguments.only, osv=arguments.osv)
    arguments.out.write_text(JsonV1Dot6(bom).output_as_string(indent=1), "utf-8")
    print(f"{arguments.out}: {len(bom.components)} components of openbcikit")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes a software bill of materials (CycloneDX, JSON) of what `uv.lock` installs; needs no network.

    uv run python tools/sbom.py --out sbom.cdx.json [--extra gui] [--all]

Known vulnerabilities of the same list, which asks a server:

    uv export --no-hashes -o requirements.txt && uv run pip-audit -r requirements.txt
"""

import argparse
import sys
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
    root = packages["bcikit"]
    wanted = [item["name"] for item in root.get("dependencies", [])]
    for extra in extras:
        wanted += [item["name"] for item in root.get("optional-dependencies", {})[extra]]
    found = {"bcikit"}
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
            type=ComponentType.APPLICATION if name == "bcikit" else ComponentType.LIBRARY,
            purl=PackageURL("pypi", None, name, package.get("version", "0")),
            bom_ref=f"{name}@{package.get('version', '0')}",
            hashes=hashes,
        )
    bom = Bom(components=[component for name, component in components.items() if name != "bcikit"])
    bom.metadata.component = components["bcikit"]
    for name, component in components.items():
        needs = [item["name"] for item in packages[name].get("dependencies", [])]
        bom.register_dependency(component, [components[need] for need in dict.fromkeys(needs) if need in components])
    return bom


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("sbom.cdx.json"))
    parser.add_argument("--extra", action="append", default=[], help="an extra of bcikit; may be repeated")
    parser.add_argument("--all", action="store_true", help="everything in the lock file, development included")
    arguments = parser.parse_args()
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    bom = bill(lock, arguments.extra, everything=arguments.all)
    arguments.out.write_text(JsonV1Dot6(bom).output_as_string(indent=1), "utf-8")
    print(f"{arguments.out}: {len(bom.components) + 1} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What software a run was made with: every installed distribution, as a CycloneDX bill of materials."""

from typing import Any

from bcikit.version import __version__


def sbom() -> dict[str, Any]:
    """Return the bill of materials of this process's environment (CycloneDX 1.5, JSON)."""
    from importlib.metadata import distributions

    found = {}
    for item in distributions():
        name = item.metadata["Name"]
        if name:
            found[name.lower()] = (name, item.version)
    components = [
        {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{key}@{version}"}
        for key, (name, version) in sorted(found.items())
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "bcikit", "version": __version__}},
        "components": components,
    }

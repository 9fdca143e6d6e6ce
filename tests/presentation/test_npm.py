"""The npm package: what is packed is what its types say."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "clients" / "javascript"
pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on this machine: apt-get install npm")


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_holds_its_modules_and_types_and_they_agree(tmp_path):
    # Beside a copy of what it is made from, so that nothing is written into the source tree.
    root = tmp_path / "tree"
    shutil.copytree(CLIENT, root / "clients" / "javascript")
    web = root / "bcikit" / "presentation" / "web"
    web.mkdir(parents=True)
    for path in (CLIENT.parents[1] / "bcikit" / "presentation" / "web").glob("*.js"):
        shutil.copy(path, web)
    shutil.copy(CLIENT.parents[1] / "LICENSE", root)
    run("npm", "pack", "--silent", cwd=root / "clients" / "javascript")
    packed = next((root / "clients" / "javascript").glob("*.tgz"))
    shutil.unpack_archive(packed, tmp_path, filter="data")
    package = tmp_path / "package"
    names = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    assert {"package.json", "index.d.ts", "LICENSE", "README.md", "dist/index.js", "dist/stimuli.js"} <= names
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    assert (package / about["main"]).is_file()
    assert (package / about["types"]).is_file()
    script = "import(process.argv[1]).then((all) => console.log(JSON.stringify(Object.keys(all))))"
    exported = set(json.loads(run("node", "-e", script, str(package / about["main"]), cwd=package)))
    typed = re.findall(r"^export (?:class|function|const) (\w+)", (package / "index.d.ts").read_text(), re.MULTILINE)
    assert exported == set(typed)

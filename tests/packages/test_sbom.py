"""config/sbom: the members that CycloneDX 1.5 requires, everything that is linked, the same bytes twice."""
import json
import re
import subprocess
import uuid

from conftest import ROOT

PURL = re.compile(r"pkg:(deb/debian|npm|generic)/[a-z0-9][a-z0-9.%+~-]*@[^?\s]+(\?arch=[a-z0-9]+&distro=debian-12)?")


def sbom(bin_dir):
    return subprocess.run([ROOT / "config/sbom", bin_dir], capture_output=True, text=True, check=True, timeout=300).stdout


def test_it_is_whole_and_the_same_twice(debs, place):
    bin_dir = place / "a/build/bin"
    text = sbom(bin_dir)
    assert text == sbom(bin_dir) and str(place) not in text
    bill = json.loads(text)
    assert bill["bomFormat"] == "CycloneDX" and bill["specVersion"] == "1.5" and bill["version"] == 1
    assert uuid.UUID(bill["serialNumber"].removeprefix("urn:uuid:"))
    parts = [bill["metadata"]["component"], *bill["components"]]
    refs = [part["bom-ref"] for part in parts]
    assert len(set(refs)) == len(refs)
    for part in parts:
        assert part["type"] in ("application", "library") and part["name"] and part["version"] and PURL.fullmatch(part["purl"]), part
    assert {d["ref"] for d in bill["dependencies"]} <= set(refs) and set(bill["dependencies"][0]["dependsOn"]) == set(refs[1:])
    names = {part["name"] for part in parts}
    assert {"libc6", "libuv1", "libssl3", "libhiredis0.14", "node-llhttp", "redis-server", "lit-html", "uplot"} <= names
    assert {p["value"] for p in bill["metadata"]["properties"]} >= {"pmhgw", "pmhgw-vault", "pmhgw-front"}


def test_what_the_package_depends_on_is_in_it(debs, place):
    gateway = next(deb for deb in debs if deb.name.startswith("pmhgw_"))
    needs = subprocess.run(["dpkg-deb", "-f", gateway, "Depends"], capture_output=True, text=True, check=True).stdout
    named = {part["name"] for part in json.loads(sbom(place / "a/build/bin"))["components"]}
    assert {need.split()[0] for need in needs.split(",")} <= named

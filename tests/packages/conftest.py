"""Fixtures: the packages, built twice; a fresh Debian root in which they are installed; what images are built from. PMHGW_PACKAGES_DIR keeps everything for another run."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from root import Root, make_tar, run  # noqa: E402

ROOT = HERE.parents[1]
# What the demo and the checks here need in the root besides the packages' own dependencies.
IN_ROOT = ["redis-server", "openssl", "systemd", "curl", "procps", "iproute2", "git"]


@pytest.fixture(scope="session")
def place():
    kept = os.environ.get("PMHGW_PACKAGES_DIR")
    path = pathlib.Path(kept or tempfile.mkdtemp(prefix="pmhgw-packages-"))
    path.mkdir(exist_ok=True)
    yield path
    if not kept:
        shutil.rmtree(path, ignore_errors=True)


def copy_tree(to):
    """The tree as it is, committed or not, and what npm fetched for the pages."""
    to.mkdir(parents=True)
    names = run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"]).splitlines()
    names = [n for n in names if (ROOT / n).is_file()]
    subprocess.run(["tar", "-cf", "-", "-C", ROOT, "--no-recursion", *names], stdout=open(to / "t.tar", "wb"), check=True)
    run(["tar", "-xf", to / "t.tar", "-C", to])
    (to / "t.tar").unlink()
    shutil.copytree(ROOT / "gateway/pages/node_modules", to / "gateway/pages/node_modules", dirs_exist_ok=True)
    return to


def epoch():
    return run(["git", "-C", ROOT, "log", "-1", "--format=%ct"]).strip()


def build(at):
    if list(at.glob("build/packages/*.deb")):
        return sorted(at.glob("build/packages/*.deb"))
    env = {**os.environ, "SOURCE_DATE_EPOCH": epoch(), "TZ": "UTC"}
    source, out = copy_tree(at / "source"), at / "build"
    run(["cmake", "-S", source, "-B", out, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DPMHGW_TESTS=OFF"], log=at / "cmake.log", env=env)
    run(["cmake", "--build", out, "--target", "package_all", "-j", str(os.cpu_count())], log=at / "build.log", timeout=3600, env=env)
    run(["cpack", "-G", "DEB"], log=at / "cpack.log", cwd=out, env=env)
    return sorted(out.glob("packages/*.deb"))


@pytest.fixture(scope="session")
def debs(place):
    return build(place / "a")


@pytest.fixture(scope="session")
def debs_again(place):
    return build(place / "another/and/a/longer/place")


@pytest.fixture(scope="session")
def base_tar(place):
    path = place / "base.tar"
    if not path.exists():
        make_tar(path, IN_ROOT)
    return path


@pytest.fixture(scope="session")
def installed(place, base_tar, debs):
    """A root in which the packages are installed as an operator would."""
    path = place / "root"
    if path.exists():
        shutil.rmtree(path)
    root = Root.unpack(base_tar, path)
    for deb in debs:
        shutil.copy(deb, path / "tmp")
    with root.mounted():
        root.run("apt-get", "update", "-q")
        root.run("apt-get", "install", "-y", "-q", "--no-install-recommends", *(f"/tmp/{deb.name}" for deb in debs))
        yield root

"""A `docker` that needs no daemon and no registry: podman, with a base image of this machine."""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pip
import pytest

from tests.support.requirements import require

# What an image of Python has besides Python, and a Dockerfile uses.
_PROGRAMS = "sh install useradd".split()
_NOT_NEEDED = {"dist-packages", "site-packages", "test", "idlelib", "tkinter"}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/shadow": "root:*:1::::::\n",
    "etc/login.defs": "UID_MAX 60000\n",
    "etc/pip.conf": "[global]\nno-index = true\nno-compile = true\nfind-links = /wheels\n",
    "usr/local/bin/pip": '#!/bin/sh\nexec python -m pip "$@"\n',
}


class Docker:
    """The program `docker` in the folder `bin`, with images and volumes of its own.

    pip knows the wheels of this folder in its containers, and no registry.
    """

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        require(podman := shutil.which("podman"), "podman")
        require(shutil.which("runc"), "runc")
        if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount")
        # A machine may have no network that can be shared out, and no right to raise limits.
        files = {
            "containers.conf": f"""
                [containers]
                netns = "host"
                utsns = "host"
                volumes = ["{wheels}:/wheels:ro"]
                default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
                [engine]
                cgroup_manager = "cgroupfs"
                events_logger = "none"
                runtime = "runc"
                """,
            "storage.conf": f"""
                [storage]
                driver = "overlay"
                graphroot = "{folder}/graph"
                runroot = "{folder}/run"
                """,
            "bin/docker": f'#!/bin/sh\nexec {podman} "$@"\n',
        }
        self.bin.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        (self.bin / "docker").chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "BUILDAH_LAYERS": "false",
        }

    def shell(self, script: str) -> list[str]:
        """The command that runs a script, none of whose commands may fail; what `docker` has
        mounted in it is gone when it ends."""
        return ["unshare", "-m", "bash", "-euo", "pipefail", "-c", script]

    def run(self, script: str, folder: Path) -> str:
        """What a script prints that is run in a folder."""
        done = subprocess.run(
            self.shell(script),
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def add_python(self, name: str) -> None:
        """Add an image of this Python under the name of another."""
        with tarfile.open(archive := self.folder / "python.tar", "w") as image:
            _write_python(image)
        self.run(f"docker import --quiet {archive.name} {name}", self.folder)


def _write_python(image: tarfile.TarFile) -> None:
    """This Python, what it needs, and what it is installed with."""
    executable = Path(sys.executable).resolve()
    standard = Path(sysconfig.get_path("stdlib"))
    extensions = Path(sysconfig.get_path("platlib")).rglob("*.so")
    programs = [executable, *map(_program, _PROGRAMS)]
    libraries = _libraries([*programs, *standard.rglob("*.so"), *extensions])
    links = {each: f"usr/{each}" for each in ("bin", "lib", "lib64", "sbin")}
    # As in an environment of `venv`, what is installed is below another folder.
    links["usr/local/bin/python"] = str(executable)
    for link, target in links.items():
        file = _file(link, 0o777)
        file.type, file.linkname = tarfile.SYMTYPE, target
        image.addfile(file)
    texts = {**_FILES, "usr/local/pyvenv.cfg": f"home = {executable.parent}\n"}
    for path, text in texts.items():
        content = text.encode()
        image.addfile(_file(path, 0o755, len(content)), io.BytesIO(content))
    packages = f"usr/local/lib/{standard.name}/site-packages"
    image.add(Path(pip.__file__).parent, f"{packages}/pip", filter=_of_root)
    image.add(standard, filter=_of_root)
    for each in {each.parent.resolve() / each.name for each in (*programs, *libraries)}:
        image.add(each.resolve(), each, filter=_of_root)


def _program(name: str) -> Path:
    require(found := shutil.which(name), name)
    return Path(found)


def _file(name: str, mode: int, size: int = 0) -> tarfile.TarInfo:
    file = tarfile.TarInfo(name)
    file.mode, file.size = mode, size
    return file


def _libraries(files: Iterable[Path]) -> set[Path]:
    """The libraries with which programs and libraries are linked."""
    shown = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    found = {Path(path) for path in re.findall(r"(/\S+) \(0x", shown)}
    return {path for path in found if not path.is_relative_to(sys.prefix)}  # a wheel has its own


def _of_root(file: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """The file as everybody may read it, if it is needed."""
    name = Path(file.name).name
    if name in _NOT_NEEDED or name.startswith("config-"):
        return None
    file.uid = file.gid = 0
    file.mode |= 0o555 if file.isdir() else 0o444
    return file

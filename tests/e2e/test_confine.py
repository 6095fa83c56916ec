# SPDX-License-Identifier: GPL-2.0
"""The agent confines itself: what one that has been taken over can do, and what one that
has not still does."""

import contextlib
import ctypes
import errno
import os
import re
import shutil
import signal
import socket
import ssl

import harness
from captive import Captive, Died
from harness import (Skip, Tls, accept, client, connect, context, eq, listener,
                     make_certificate, path, port_of, run, test)

SYS_LANDLOCK_CREATE_RULESET = 444
RULESET_VERSION = 1


def need_landlock():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), RULESET_VERSION) < 0:
        raise Skip("this kernel has no Landlock")


@contextlib.contextmanager
def agent(*options, profiles=None):
    """Another agent for the block, and what it has logged so far."""
    harness.agent.stop()
    harness.write_config(harness.agent.config, profiles)
    begin = os.path.getsize(harness.agent.log)

    def log():
        with open(harness.agent.log, errors="replace") as f:
            f.seek(begin)
            return f.read()
    try:
        harness.agent.start(options=options)
        yield log
    finally:
        harness.agent.stop()
        harness.write_config(harness.agent.config)
        harness.agent.start()


@contextlib.contextmanager
def elsewhere():
    """A directory that no configuration has named."""
    where = harness.tmp + "-elsewhere"
    os.mkdir(where)
    try:
        yield where
    finally:
        shutil.rmtree(where)


@test
def a_captured_agent_reads_what_it_needs_and_writes_nothing():
    need_landlock()
    with elsewhere() as where:
        secret = f"{where}/secret"
        with open(secret, "w") as f:
            f.write("not for kseald")
        # of the calls nothing is refused, so this is the files alone
        with agent("--unsafe-no-seccomp"), Captive(harness.agent.pid()) as captive:
            for name in (harness.agent.config, path("server.key"), "/etc/passwd", "/dev/urandom"):
                eq(captive.open(name, os.O_RDONLY), 0, f"reading {name}")
            for name in (secret, where, "/", "/proc/1/status", "/sys/kernel"):
                eq(captive.open(name, os.O_RDONLY), errno.EACCES, f"reading {name}")
            for name in (harness.agent.config, path("server.key"), secret, "/etc/passwd", "/dev/kmsg"):
                eq(captive.open(name, os.O_WRONLY), errno.EACCES, f"writing {name}")
            for name in (path("new"), f"{where}/new", "/tmp/new", "/etc/new"):
                eq(captive.open(name, os.O_WRONLY | os.O_CREAT, 0o600), errno.EACCES, f"making {name}")
            eq(captive.call("unlink", path("server.key")), -errno.EACCES, "unlink")
            eq(captive.call("mkdir", path("new"), 0o700), -errno.EACCES, "mkdir")
            eq(captive.call("execve", "/bin/true", 0, 0), -errno.EACCES, "execve")
        # It is Landlock that has refused all this.
        with agent("--unsafe-no-seccomp", "--unsafe-no-landlock") as log:
            assert "--unsafe-no-landlock: the agent may reach all files" in log(), log()
            with Captive(harness.agent.pid()) as captive:
                eq(captive.open(secret, os.O_RDONLY), 0, f"reading {secret}")
                eq(captive.open(f"{where}/new", os.O_WRONLY | os.O_CREAT, 0o600), 0, "making a file")


@test
def a_captured_agent_ends_at_its_first_step():
    def dies(name, *args):
        with agent():
            try:
                with Captive(harness.agent.pid()) as captive:
                    raise AssertionError(f"{name} returned {captive.call(name, *args)}")
            except Died as e:
                eq(e.args[0], signal.SIGSYS, "signal")

    with agent(), Captive(harness.agent.pid()) as captive:
        eq(captive.open("/etc/passwd", os.O_RDONLY), 0, "reading")
        eq(captive.open(path("server.key"), os.O_WRONLY), errno.EPERM, "writing")
        eq(captive.call("mkdir", path("new"), 0o700), -errno.EPERM, "mkdir")
        eq(captive.call("socket", socket.AF_INET, socket.SOCK_STREAM, 0), -errno.EPERM, "socket")
    dies("execve", "/bin/true", 0, 0)
    dies("setuid", 0)


def revoke(name, *options):
    """A list of those that the CA revokes."""
    template = path("crl.template")
    with open(template, "w") as f:
        f.write("crl_next_update = 2\ncrl_number = 1\n")
    run("certtool", "--generate-crl", "--load-ca-certificate", path("ca.crt"), "--load-ca-privkey",
        path("ca.key"), "--template", template, "--outfile", path(name), *options)


def move(source, target):
    """In one step, as those who renew certificates do."""
    shutil.copy(path(source), target + ".new")
    os.rename(target + ".new", target)


@test(timeout=120)
def a_confined_agent_reads_its_files_again():
    need_landlock()
    make_certificate("renewed", "ca", f"/CN={harness.NAME}", f"DNS:{harness.NAME}")
    make_certificate("added", "ca", "/CN=added.test", "DNS:added.test")
    revoke("nobody.crl")
    revoke("client.crl", "--load-certificate", path("client.crt"))

    def shown(name=harness.NAME):
        peer = client(port, name=name)
        accept(sock).close()
        with contextlib.closing(peer):
            return peer.tls.getpeercert(True)

    def der(name):
        with open(path(name)) as f:
            return ssl.PEM_cert_to_DER_cert(f.read())

    def serves_client():
        peer = Tls(connect(port), context("1.2", certificate="client"))
        with contextlib.closing(peer):
            try:
                peer.handshake()
            except ssl.SSLError as e:
                assert re.search("revoked", str(e), re.I), e
                return False
            accept(sock).close()
            return True

    def profile(certificate):
        return {"certificate": f"{certificate}.crt", "key": f"{certificate}.key",
                "certificate-directory": f"{where}/more", "client-ca": "ca.crt",
                "client-auth": "request", "crl": f"{where}/crls"}

    def put(name, target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        for suffix, kind in ((".crt", ".pem" if "/more/" in target else ".crt"), (".key", ".key")):
            move(name + suffix, target + kind)

    with elsewhere() as where:
        put("server", f"{where}/named/site")
        put("renewed", f"{where}/unnamed/site")
        put("renewed", f"{where}/more/first")
        os.makedirs(f"{where}/crls")
        move("nobody.crl", f"{where}/crls/nobody.crl")
        with agent(profiles={"default": profile(f"{where}/named/site")}) as log:
            assert "Landlock" not in log(), log()
            sock = listener()
            port = port_of(sock)
            eq(shown(), der("server.crt"), "certificate")
            assert serves_client(), "the client was refused"
            # a certificate, one of a directory, a list of revoked ones: all of them new files
            put("renewed", f"{where}/named/site")
            put("added", f"{where}/more/second")
            move("client.crl", f"{where}/crls/ours.crl")
            run(harness.KSEAL, "reload")
            eq(shown(), der("renewed.crt"), "certificate")
            eq(shown("added.test"), der("added.crt"), "certificate")
            assert not serves_client(), "a revoked certificate was accepted"
            # A directory that was not named at the start stays shut.
            harness.write_config(harness.agent.config, {"default": profile(f"{where}/unnamed/site")})
            done = run(harness.KSEAL, "reload", check=False)
            assert done.returncode and re.search(
                "unnamed/site.crt: Permission denied: .* did not lead to when kseald was started, "
                "restart it", done.stdout), done.stdout
            eq(shown(), der("renewed.crt"), "certificate")
            harness.agent.stop()
            harness.agent.start()
            eq(shown(), der("renewed.crt"), "certificate")

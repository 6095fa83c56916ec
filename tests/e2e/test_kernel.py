# SPDX-License-Identifier: GPL-2.0
"""The kernel's own consumers of TLS: an NFS server and a client of the kernel, on the
same machine, whose handshakes the agent does (kseald.conf(5), section "kernel"). The
records are those of the kernel's own TLS: its counters tell that there were some."""

import contextlib
import ctypes
import errno
import os
import re
import shutil
import subprocess
import time
import uuid

import harness
from harness import (KSEALD, NAME, PROFILES, SLOW, Skip, eq, eventually, path, run, test, write_config)

SYS_ADD_KEY = 248       # of x86-64
MODULES = ("tls", "nfsd", "nfs", "nfsv4")
SERVERS = {
    "nfs": {"versions": ["1.3"], "client-ca": "ca.crt", "client-auth": "request"},
    "strict": {"versions": ["1.3"], "client-ca": "ca.crt", "client-auth": "require"},
    "other-port": {"versions": ["1.3"], "ports": [2050]},
    "both": {},
}
CLIENTS = {
    "nfs": {"ca": "ca.crt", "versions": ["1.3"], "certificate": "client.crt", "key": "client.key"},
    "bare": {"ca": "ca.crt", "versions": ["1.3"]},
    "distrustful": {"ca": "other-ca.crt", "versions": ["1.3"]},
    "stranger": {"ca": "ca.crt", "versions": ["1.3"], "certificate": "stranger.crt", "key": "stranger.key"},
    "both": {"ca": "ca.crt"},
}


def has_family():
    return os.path.exists("/sys/kernel/tracing/events/handshake") or \
        "handshake_complete" in open("/proc/kallsyms", encoding="ascii").read()


def configure(server="nfs", client="nfs"):
    """The agent's configuration with a section kernel; in force if it is running."""
    write_config(harness.agent.config, {**PROFILES, **SERVERS}, {**harness.CLIENTS, **CLIENTS})
    with open(harness.agent.config, "a") as f:
        f.write("kernel {\n" + (f'\tserver = "{server}"\n' if server else "") +
                (f'\tclient = "{client}"\n' if client else "") + "}\n")


@contextlib.contextmanager
def agent(**sections):
    """The agent, with a section kernel; afterwards as it was."""
    old = path("kseald.conf.plain")
    shutil.copy(harness.agent.config, old)
    harness.agent.stop()
    try:
        configure(**sections)
        harness.agent.start()
        yield harness.agent
    finally:
        harness.agent.stop()
        os.replace(old, harness.agent.config)
        harness.agent.start()


def reconfigure(server="nfs", client="nfs"):
    configure(server, client)
    run(harness.KSEAL, "reload")


def said(since=0):
    with open(harness.agent.log, errors="replace") as f:
        f.seek(since)
        return f.read()


def told():
    return os.path.getsize(harness.agent.log)


def sealed():
    """How many connections the kernel's own TLS has had."""
    with open("/proc/net/tls_stat") as f:
        return {k: int(v) for k, v in (line.split() for line in f)}["TlsTxSw"]


@contextlib.contextmanager
def nfs_server():
    """Exports a file system in memory as the root of NFS 4.2; yields its directory."""
    if not shutil.which("rpc.nfsd") or not shutil.which("mount.nfs"):
        raise Skip("there is no NFS here: nfs-kernel-server, nfs-common")
    for module in MODULES:
        if run("modprobe", "-q", module, check=False).returncode:
            raise Skip(f"this kernel has no module {module}")
    with open("/etc/hosts", "w") as f:
        f.write(f"127.0.0.1 localhost {NAME} server.test\n")
    exported = path("exported")
    os.makedirs(exported, exist_ok=True)
    run("mount", "-t", "tmpfs", "none", exported)
    os.makedirs("/var/lib/nfs/v4recovery", exist_ok=True)
    if not os.path.exists("/proc/fs/nfsd/threads"):
        run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd")
    with open("/etc/exports", "w") as f:
        f.write(f"{exported} 127.0.0.1(rw,fsid=0,no_root_squash,insecure,no_subtree_check)\n")
    mountd = subprocess.Popen(["rpc.mountd", "-F", "-N", "2", "-N", "3"])
    try:
        run("exportfs", "-a")
        run("rpc.nfsd", "-N", "3", "-V", "4.2", "-U", "2")
        with open("/proc/fs/nfsd/v4_end_grace", "w") as f:
            f.write("Y")
        yield exported
    finally:
        run("rpc.nfsd", "0")
        run("exportfs", "-au", check=False)
        mountd.terminate()
        mountd.wait()
        run("umount", exported)


def mount(how, name=NAME):
    os.makedirs(path("mounted"), exist_ok=True)
    return run("mount", "-t", "nfs", "-o", f"vers=4.2,xprtsec={how},retry=0", f"{name}:/", path("mounted"),
               check=False)


@contextlib.contextmanager
def mounted(how):
    done = mount(how)
    eq(done.returncode, 0, f"mount: {done.stdout} {harness.agent.tail()}")
    try:
        yield path("mounted")
    finally:
        run("umount", path("mounted"))


def refused(how, *reasons, name=NAME):
    """The mount fails, and the log has these reasons."""
    begin = told()
    done = mount(how, name)
    if not done.returncode:
        run("umount", path("mounted"))
        raise AssertionError(f"mounted; the agent: {said(begin)}")
    for reason in reasons:
        eventually(lambda r=reason: re.search(r, said(begin)), f"{reason!r} in: {said(begin)}")


@test(timeout=240)
def kernel_nfs_is_mounted_over_tls():
    if not has_family():
        raise Skip("this kernel does not ask for handshakes")
    with agent(), nfs_server() as exported:
        data = os.urandom(3000001)
        for how, client in (("tls", ""), ("mtls", r'client="CN=client\\x20of\\x20the\\x20test" ')):
            before, begin = sealed(), told()
            with mounted(how) as where:
                with open(f"{where}/{how}", "wb") as f:
                    f.write(data)
                with open(f"{exported}/{how}", "rb") as f:
                    eq(f.read() == data, True, "what was written")
                run("sh", "-c", "echo 2 >/proc/sys/vm/drop_caches")
                with open(f"{where}/{how}", "rb") as f:
                    eq(f.read() == data, True, "what was read")
                assert sealed() - before >= 2, "records, at both ends"
                lines = said(begin)
                assert re.search(rf"handshake peer=.* local=127.0.0.1:2049 profile=nfs sni={NAME} version=TLS1.3 "
                                 rf".*resumed=no {client}ms=\d+ outcome=sealed", lines), lines
                assert re.search(rf"handshake role=client peer=127.0.0.1:2049 .*profile=nfs .*version=TLS1.3 .*"
                                 rf'server="CN={NAME}" ms=\d+ outcome=sealed', lines), lines
                if how == "mtls":
                    # the agent's death is nothing to who is connected
                    harness.agent.stop()
                    with open(f"{where}/after", "wb") as f:
                        f.write(data)
                    eq(os.path.getsize(f"{exported}/after"), len(data), "written without the agent")
                    harness.agent.start()
        harness.agent.stop()
        refused("tls")
        harness.agent.start()


@test(timeout=240)
def kernel_nfs_is_refused():
    if not has_family():
        raise Skip("this kernel does not ask for handshakes")
    with agent(client="distrustful"), nfs_server():
        refused("tls", rf"role=client .*certificate for {NAME}: .*issuer is unknown")
        reconfigure()
        refused("tls", r"role=client .*certificate for server.test: .*name", name="server.test")
        # GnuTLS shows none to a server that asks for those of other CAs
        reconfigure(server="strict", client="stranger")
        refused("mtls", r"peer=\S+ local=127.0.0.1:2049 .*the client has no certificate")
        reconfigure(client="bare")
        refused("mtls", r'role=client .*the mount asks for mutual TLS, and client "bare" has no certificate')
        reconfigure(server="strict")
        refused("tls", r"the client has no certificate")
        reconfigure(server="other-port")
        refused("tls", r"local=127.0.0.1:2049 profile=other-port .*outcome=refused")
        reconfigure(server=None)
        refused("tls", r'the section "kernel" has no server: add server = "NAME"')
        reconfigure(client=None)
        refused("tls", r'the section "kernel" has no client: add client = "NAME"')
        reconfigure()
        with mounted("tls"):
            pass


def add_psk(identity):
    """A key for the kernel's NVMe, as `nvme gen-tls-key --insert` does it."""
    keyring = None
    with open("/proc/keys") as f:
        for line in f:
            if re.search(r"keyring +\.nvme:", line):
                keyring = int(line.split()[0], 16)
    if keyring is None:
        raise Skip("this kernel's NVMe has no keyring for TLS")
    libc = ctypes.CDLL(None, use_errno=True)
    key = libc.syscall(SYS_ADD_KEY, b"psk", identity.encode(), os.urandom(32), ctypes.c_size_t(32),
                       ctypes.c_int(keyring))
    assert key > 0, f"add_key: {os.strerror(ctypes.get_errno())}"


# It does not do certificates, and the agent no pre-shared keys.
@test(timeout=120)
def kernel_nvme_is_refused():
    if not has_family():
        raise Skip("this kernel does not ask for handshakes")
    if run("modprobe", "-q", "nvme-tcp", check=False).returncode:
        raise Skip("this kernel has no module nvme-tcp")
    machine = str(uuid.uuid4())
    host, subsystem = f"nqn.2014-08.org.nvmexpress:uuid:{machine}", "nqn.2026-01.test:kseal"
    add_psk(f"NVMe0R01 {host} {subsystem}")
    with agent(), harness.listener(sealed=False) as sock:
        begin, started = told(), time.monotonic()
        with open("/dev/nvme-fabrics", "r+b", buffering=0) as fabrics, \
                harness.raises(errno.EACCES, errno.EIO, errno.ECONNREFUSED):
            fabrics.write(f"nqn={subsystem},transport=tcp,traddr=127.0.0.1,trsvcid={harness.port_of(sock)},"
                          f"hostnqn={host},hostid={machine},tls".encode())
        harness.note(f"{time.monotonic() - started:.1f} s")
        lines = said(begin)
        assert re.search(r"handshake role=client peer=127.0.0.1:\d+ .*outcome=refused: the kernel asks for a "
                         r"pre-shared key, as NVMe over TCP does: this agent does certificates", lines), lines
        conn = harness.accept(sock)
        eq(harness.read_all(conn), b"", "what was sent")
        conn.close()
        # who authenticates by certificates is served as ever
        with nfs_server(), mounted("tls"):
            pass
    run("modprobe", "-r", "nvme-tcp")


@test
def kernel_that_does_not_ask_is_named():
    if has_family():
        raise Skip("this kernel does ask for handshakes")
    old = path("kseald.conf.plain")
    shutil.copy(harness.agent.config, old)
    configure()
    try:
        done = run(KSEALD, "-c", harness.agent.config, check=False, timeout=30 * SLOW)
    finally:
        os.replace(old, harness.agent.config)
    eq(done.returncode, 69, "exit status")
    assert 'this kernel does not ask for handshakes (CONFIG_NET_HANDSHAKE, Linux 6.4 and later): ' \
        'remove the section "kernel"' in done.stdout, done.stdout

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Configuration files, good and bad: every message must name the file, the line,
what is wrong and what to do. Called by tests/agent/run with kseald and the
directory of test certificates; speaks TAP."""

import json
import os
import re
import subprocess
import sys

kseald, certs = sys.argv[1:3]
path = os.path.join(certs, "test.conf")
count = failures = 0

C = f'certificate = "{certs}/chain.pem"'
K = f'key = "{certs}/server.key"'
GOOD = f'profile "web" {{\n{C}\n{K}\n'


def report(name, problem):
    global count, failures
    count += 1
    if problem:
        failures += 1
        print(f"# {problem}")
    print(f"{'not ' if problem else ''}ok {count} - {name}", flush=True)


def check(text, *options):
    if text is not None:
        with open(path, "w") as f:
            f.write(text)
    p = subprocess.run([kseald, "-c", path, *(options or ["--check"])],
                       capture_output=True, text=True, timeout=20)
    return p.returncode, p.stdout, p.stderr


def good(name, text, warning=None):
    status, out, err = check(text)
    problem = None
    if status != 0 or "the configuration is good" not in out:
        problem = f"status {status}: {out}{err}"
    elif warning and not re.search(warning, err):
        problem = f"no warning {warning!r}: {err!r}"
    elif not warning and err:
        problem = f"unexpected: {err!r}"
    report(name, problem)


def bad(name, text, line, pattern):
    """PATTERN: what is wrong: what to do."""
    status, _, err = check(text)
    want = rf"^{re.escape(path)}:{line}: .*{pattern}" if line else \
           rf"^{re.escape(path)}: .*{pattern}"
    problem = None
    if status != 78:
        problem = f"status {status}, want 78: {err}"
    elif not re.search(want, err, re.DOTALL):
        problem = f"got {err!r}, want {want!r}"
    report(name, problem)


def in_profile(*lines):
    """Line 4 is the first of LINES."""
    return GOOD + "\n".join(lines) + "\n}\n"


def in_client(*lines):
    """Behind a profile: line 7 is the first of LINES."""
    return in_profile() + 'client "up" {\n' + "\n".join(lines) + "\n}\n"


def files(cert="chain.pem", key="server.key", *lines):
    """certificate on line 2, key on line 3"""
    return (f'profile "web" {{\ncertificate = "{certs}/{cert}"\nkey = "{certs}/{key}"\n'
            + "\n".join(lines) + "\n}\n")


good("the least", in_profile())
good("every option", f'''
workers = 3   # threads
log-level = "debug"
/* a
   comment */
profile "web" {{
	{C}   // the chain
	{K}
	client-ca = "{certs}/ca.pem"
	client-auth = "request"
	ports = {{ 443, 8443 }}
	users = {{ "root", "33" }}
	groups = {{ "root", 33 }}
	timeout = 5
	alpn = {{ "h2", "http/1.1" }}
	versions = {{ "1.2", "1.3" }}
	tickets = "on"
	ticket-keys = "{certs}/tickets.key"
	sni = "strict"
	certificate-directory = "{certs}/directory"
	ocsp = "{certs}/server.ocsp"
	crl = {{ "{certs}/crls" }}
	allow = {{ "cn:a", "dns:*.test" }}
}}
profile internal.test_1-2 {{ {C} {K} versions = {{ "1.3" }} }}
''')
good("every option of a client", f'''
client "upstream" {{
	ca = "{certs}/ca.pem"
	crl = "{certs}/revoked.crl"
	certificate = "{certs}/client.pem"
	key = "{certs}/client.key"
	server-name = "example.test"
	allow = {{ "dns:example.test" }}
	users = {{ "root" }}
	groups = {{ 33 }}
	timeout = 5
	alpn = {{ "http/1.1" }}
	versions = {{ "1.3" }}
	truncation = "tolerate"
	tickets = "off"
}}
client "address" {{ server-name = "2001:db8::1" }}
''')
good("what is negotiated", in_profile(
    'alpn = { "h2" }', 'alpn-mode = "required"', 'ciphers = { "AES-256-GCM", "CHACHA20-POLY1305" }',
    'named-groups = { "secp384r1", "X25519" }', 'record-size-limit = 1024'))
good("what a client negotiates", in_client(
    'alpn = { "h2" }', 'alpn-mode = "optional"', 'ciphers = { "AES-128-CCM" }',
    'named-groups = { "x448" }', 'record-size-limit = 16384'))
good("a priority string", in_profile('priority = "SECURE192:+SECURE128:-VERS-TLS1.2"'))
good("watch", 'watch = "on"\n' + in_profile())
bad("watch", 'watch = "always"\n' + in_profile(), 1, 'write "on" or "off"')
good("limits", in_profile("max-handshakes = 1000", "max-handshakes-per-address = 10",
                          "handshake-rate = 5000", "handshake-rate-per-address = 20",
                          "handshake-queue = 0"))
good("legacy is a warning", in_profile('legacy = "on"'),
     r'profile "web" is legacy: TLS 1.2 sessions may be without forward secrecy')
good("+= adds to a list", in_profile('alpn = { "h2" }', 'alpn += { "http/1.1" }'))
good("sections may have the same options",
     f'workers = 1\n{GOOD}timeout = 5\n}}\nclient "up" {{ timeout = 6 }}\n')
good("a client section and a profile may share a name",
     in_profile() + 'client "web" { }\n')
good("several certificates", f'''profile "web" {{
	certificate = {{ "{certs}/chain.pem", "{certs}/rsa.pem" }}
	key = {{ "{certs}/server.key", "{certs}/rsa.key" }}
}}''')
good("a file with certificate and key", f'profile "web" {{ certificate = "{certs}/combined.pem" }}')
good("a directory alone", f'profile "web" {{ certificate-directory = "{certs}/directory" }}')
good("a certificate that must be stapled, with a response", f'''profile "web" {{
	certificate = "{certs}/must-staple.pem"
	key = "{certs}/must-staple.key"
	ocsp = "{certs}/must-staple.ocsp"
}}''')
good("a response that is not current is a warning",
     files("chain.pem", "server.key", f'ocsp = "{certs}/old-server.ocsp"'),
     r"old-server.ocsp: is not current \(.* UTC\): fetch it anew")
good("a profile's truncation and proxy-protocol",
     in_profile('truncation = "strict"', 'proxy-protocol = "v2"'))
good("a profile's revocation list",
     in_profile('client-auth = "request"', f'client-ca = "{certs}/ca.pem"',
                f'crl = "{certs}/revoked.crl"'))
for name, ca in ("strangers", "CN=strangers"), ("between", "CN=between"):
    unknown = f"{name}.crl: list 1 is of {ca}, "
    for what, section, line in (
            ("profile", in_profile('client-auth = "request"', f'client-ca = "{certs}/ca.pem"', "crl = {}"), 6),
            ("client", in_client(f'ca = "{certs}/ca.pem"', "crl = {}"), 8),
            ("client that trusts whom the system trusts", in_client("crl = {}"), 7)):
        bad(f"crl: of {name} alone, in a {what}", section.replace("{}", f'"{certs}/{name}.crl"'), line,
            unknown + "and no list is of a CA that is trusted here: fetch that of the CA")
        if "system" not in what:
            good(f"crl: of {name}, beside one of the CA, in a {what}",
                 section.replace("{}", f'{{ "{certs}/{name}.crl", "{certs}/revoked.crl" }}'),
                 unknown + "a CA that is unknown here")
good("crl: of the CA between ours and the certificate",
     files("here-server.pem", "here-server.key", 'client-auth = "request"', f'client-ca = "{certs}/ca.pem"',
           f'crl = "{certs}/between.crl"'))
bad("crl: forged in the name of the CA between ours and the certificate",
    files("here-server.pem", "here-server.key", 'client-auth = "request"', f'client-ca = "{certs}/ca.pem"',
          f'crl = "{certs}/forged-between.crl"'), 6, "forged-between.crl: list 1 is of CN=between, and no list")
bad("crl: of the CA of the certificate, which is none of the clients'",
    files("here-server.pem", "here-server.key", 'client-auth = "request"', f'client-ca = "{certs}/clients.pem"',
          f'crl = "{certs}/between.crl"'), 6, "between.crl: list 1 is of CN=between, and no list")
good("RSA", files("rsa.pem", "rsa.key"))
good("a certificate that expires soon is a warning", files("soon.pem", "soon.key"),
     r"soon\.pem: certificate 1 expires on .* renew it")
good("a key that all can read is a warning", files("chain.pem", "open.key"),
     r"open\.key: every user can read this key: chmod o-r")

bad("unknown option", 'frobnicate = 1\n' + in_profile(), 1,
    "no such option 'frobnicate'.*kseald.conf")
bad("unknown option in a profile", in_profile('port = 443'), 4, "no such option 'port'")
for wrong, right in (("certificates", "certificate"), ("client_ca", "client-ca"),
                     ("client-cert", None), ("user", "users"), ("alnp", "alpn"), ("log", None),
                     ("TLS", None), ("ticket-key", "ticket-keys"), ("proxyprotocol", "proxy-protocol")):
    bad(f"unknown option {wrong}: " + (f"the suggestion {right}" if right else "no suggestion"),
        in_profile(f"{wrong} = 1"), 4,
        f"no such option '{wrong}': " + (f"do you mean {right}\\?" if right else "kseald.conf"))
bad("unknown option at the top: a suggestion", "worker = 1\n" + in_profile(), 1,
    r"no such option 'worker': do you mean workers\?")
bad("lines are counted behind comments",
    '# one\n// two\n/* three\n four */\n' + in_profile('oops = 1'), 8, "no such option 'oops'")
bad("an option that is set twice", in_profile('timeout = 1', 'timeout = 2'), 5,
    r"timeout is set a second time \(first on line 4\): remove one")
bad("a list that is set twice", in_profile('alpn = { "h2" }', "", 'alpn = { "http/1.1" }'), 6,
    r"alpn is set a second time \(first on line 4\): remove one, or add to a list with \+=")
bad("an empty list is set, too", in_profile("ports = { }", "ports = { 443 }"), 5,
    r"ports is set a second time \(first on line 4\)")
bad("an option outside of sections that is set twice",
    "workers = 1\n" + in_profile() + "workers=2\n", 7, r"second time \(first on line 1\)")
bad("duplicate profile", in_profile() + in_profile(), 6,
    "duplicate title 'web': every section needs a name of its own")
bad("a section that is not closed", GOOD, 1, 'never closed: add a "}"')
bad("a quote that is not closed", 'log-level = "info\n' + in_profile().replace('"', "'"), 1,
    "quote is never closed")
bad("one brace too many", in_profile() + "}\n", 6, "unexpected closing brace: remove it")
bad("a list where there is none", in_profile('timeout = { 1 }'), 4, "unexpected token")
bad("no title", in_profile().replace(' "web"', ""), 1, "missing title .*: write profile")
bad("no profile", "workers = 1\n", 1, "no profile: add profile")
bad("empty file", "", 1, "no profile")
bad("bad name of a profile", in_profile().replace("web", "we b"), 1, "use letters")
bad("too long name of a profile", in_profile().replace("web", "w" * 64), 1, "1 to 63")

bad("workers: negative", "workers = -1\n" + in_profile(), 1, "write 1 to 256, or 0")
bad("workers: too many", "workers = 257\n" + in_profile(), 1, "workers is 257")
bad("workers: no number", "workers = many\n" + in_profile(), 1, "'workers': write a whole number")
bad("workers: huge", "workers = 99999999999999999999\n" + in_profile(), 1, "smaller number")
bad("log-level", 'log-level = "loud"\n' + in_profile(), 1, '"loud": write "error"')
bad("alpn-mode", in_profile('alpn = { "h2" }', 'alpn-mode = "never"'), 5,
    'write "optional", "match" or "required"')
bad("alpn-mode without protocols", in_profile('alpn-mode = "required"'), 4, "add alpn =")
bad("client: alpn-mode", in_client('alpn = { "h2" }', 'alpn-mode = "match"'), 8,
    'write "optional" or "required"')
bad("a cipher that can't be sealed", in_profile('ciphers = { "AES-128-CBC" }'), 4,
    'there is no cipher "AES-128-CBC" here: write "AES-128-GCM"')
bad("a group that does not exist", in_profile('named-groups = { "secp192r1" }'), 4,
    'there is no group of key exchange "secp192r1" here: write one or more of x25519, secp256r1, .*x448, ffdhe2048')
hybrid = in_profile('named-groups = {', '"X25519MLKEM768"', ', "x25519" }')
if "MLKEM768" in subprocess.run(["gnutls-cli", "--list"], capture_output=True, text=True).stdout:
    good("a hybrid group, which the installed GnuTLS has", hybrid)
else:
    bad("a hybrid group, which the installed GnuTLS does not have", hybrid, 5,
        r"GnuTLS \d[\d.]*, which is installed, does not have the group X25519MLKEM768: remove it, .* has x25519, secp256r1")
bad("a priority string that is none", in_profile('priority = "NORMAL:+FANCY"'), 4,
    r'priority: GnuTLS does not understand "\+?FANCY": .*gnutls-cli --list')
bad("a priority string of what can't be sealed",
    in_profile('priority = "NORMAL:-CIPHER-ALL:+AES-128-CBC"'), 4,
    "leaves nothing that kseal can do: it takes TLS 1.2 or 1.3, an AEAD and ECDHE")
bad("a priority string of old versions", in_profile('priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1"'), 4,
    "leaves nothing that kseal can do")
bad("a priority string and a part of it",
    in_profile('priority = "NORMAL"', 'named-groups = { "x25519" }'), 4,
    "priority says what named-groups on line 5 says: remove one of them")
bad("legacy", in_profile('legacy = "yes"'), 4, 'write "off" or "on"')
bad("record-size-limit: too small", in_profile("record-size-limit = 64"), 4,
    "record-size-limit is 64: write 512 to 16384 bytes")
for option, what in (("max-handshakes", ""), ("max-handshakes-per-address", ""),
                     ("handshake-rate", " a second"), ("handshake-rate-per-address", " a second")):
    bad(f"{option}: zero", in_profile(f"{option} = 0"), 4,
        f"{option} is 0: write 1 to 1000000{what}")
bad("handshake-queue without a limit",
    in_profile("max-handshakes-per-address = 5", "handshake-queue = 5"), 5,
    "handshake-queue does nothing without a limit to wait for: set max-handshakes")
bad("client: a limit", in_client("max-handshakes = 5"), 7, "no such option 'max-handshakes'")
bad("timeout: zero", in_profile("timeout = 0"), 4, "write 1 to 3600 seconds")
bad("timeout: too long", in_profile("timeout = 3601"), 4, "write 1 to 3600 seconds")
bad("timeout: text", in_profile('timeout = "10s"'), 4, "'timeout': write a whole number")
bad("port 0", in_profile("ports = { 443, 0 }"), 4, "0 is no port: write 1 to 65535")
bad("port 65536", in_profile("ports = {", "443,", "65536 }"), 6, "65536 is no port")
bad("a range of ports", in_profile("ports = { 8000-8010 }"), 4,
    "'ports': write a whole number without quotes for each port")
bad("port https", in_profile('ports = { "https" }'), 4, "'ports': write a whole number")
bad("unknown user", in_profile('users = { "root", "no-such-user" }'), 4,
    'no user "no-such-user": create it')
bad("user number out of range", in_profile('users = { "4294967295" }'), 4, "no user")
bad("unknown group", in_profile('groups = { "no-such-group" }'), 4, 'no group "no-such-group"')
bad("unknown version", in_profile('versions = { "1.3", "1.1" }'), 4,
    'no TLS version "1.1" here: write "1.2" or "1.3"')
bad("client-auth", in_profile('client-auth = "maybe"'), 4, '"maybe": write "off"')
bad("client-auth without client-ca", in_profile('client-auth = "require"'), 4, "add client-ca")
bad("client-ca without client-auth", in_profile(f'client-ca = "{certs}/clients.pem"'), 4,
    'client-ca does nothing while client-auth is "off"')
bad("tickets", in_profile('tickets = "sometimes"'), 4, '"sometimes": write "off" or "on"')
bad("ticket-keys without tickets",
    in_profile('tickets = "off"', f'ticket-keys = "{certs}/tickets.key"'), 5,
    'does nothing while tickets is "off"')
bad("ticket-keys: no such file", in_profile('ticket-keys = "/nonexistent/keys"'), 4, "No such file")
bad("ticket-keys: too short", in_profile(f'ticket-keys = "{certs}/short-tickets.key"'), 4,
    "31 bytes are too few: write 64 random ones .openssl rand")
bad("empty value", in_profile('alpn = { "" }'), 4, "alpn is empty")
bad("too long ALPN protocol", in_profile(f'alpn = {{ "{"x" * 32}" }}'), 4, "at most 31 bytes")
bad("too many ALPN protocols", in_profile('alpn = { a, b, c, d, e, f, g, h, i }'), 4,
    "more than 8 ALPN protocols")

bad("no certificate", f'\nprofile "web" {{\n{K}\n}}\n', 2, 'no certificate: add certificate =')
bad("no key", f'profile "web" {{\n{C}\n}}\n', 2,
    'chain.pem: holds no private key: name a PEM file .* with key = "FILE"')
bad("fewer keys than certificates", f'''profile "web" {{
certificate = {{ "{certs}/chain.pem", "{certs}/rsa.pem" }}
{K}
}}''', 3, "1 key, but 2 certificates: name a key for each, in the same order")
bad("keys in another order", f'''profile "web" {{
certificate = {{ "{certs}/chain.pem", "{certs}/rsa.pem" }}
key = {{ "{certs}/rsa.key", "{certs}/server.key" }}
}}''', 3, "rsa.key: is not the key of the certificate in .*chain.pem: name the right pair")
bad("sni", in_profile('sni = "maybe"'), 4, '"maybe": write "default" or "strict"')
bad("directory: none", in_profile('certificate-directory = "/nonexistent"'), 4, "No such file")
bad("directory: empty", in_profile(f'certificate-directory = "{certs}/no-directory"'), 4,
    "no-directory: holds no file NAME.pem")
bad("directory: with an expired certificate",
    in_profile(f'certificate-directory = "{certs}/bad-directory"'), 4,
    r"bad-directory/expired.pem: certificate 1 expired on .* renew it")
bad("certificate: no such file", files("missing.pem"), 2,
    "missing.pem: No such file or directory: correct the path")
bad("certificate: a directory", files("."), 2, "not a regular file")
bad("certificate: empty file", files("empty.pem"), 2, "empty.pem: the file is empty")
bad("certificate: not PEM", files("text.pem"), 2, "text.pem: holds no certificate: name a PEM")
bad("certificate: a key", files("server.key"), 2, "server.key: holds no certificate")
bad("certificate: broken", files("broken.pem"), 2, "broken.pem: cannot be parsed")
bad("certificate: expired", files("expired.pem", "expired.key"), 2,
    r"expired.pem: certificate 1 expired on .* UTC: renew it")
bad("certificate: not yet valid", files("future.pem", "future.key"), 2, "not valid before")
bad("certificate: wrong order", files("wrong-order.pem"), 2,
    "certificate 1 was not issued by certificate 2: order the chain leaf first")
bad("certificate: for clients", files("for-clients.pem", "for-clients.key"), 2, "lacks serverAuth")
bad("certificate: no digitalSignature", files("only-encryption.pem", "only-encryption.key"), 2,
    "lacks digitalSignature")
bad("key: no such file", files("chain.pem", "missing.key"), 3, "missing.key: No such file")
status, out, err = check(files().replace(f"{certs}/", os.path.relpath(certs) + "/"))
report("a relative path is a warning", None if status == 0 and re.search(
    r"/chain\.pem: depends on where kseald is started, .* write an absolute path", err) else err)
bad("a relative path of no file", files().replace(f"{certs}/", "nonesuch/"), 2,
    r"nonesuch/chain\.pem: No such file or directory where kseald was started: write an absolute path")
bad("key: not a key", files("chain.pem", "server.pem"), 3, "server.pem: holds no private key")
bad("key: of a TPM", files("chain.pem", "tpm.key"), 3, "the key is of a TPM: name it by a pkcs11: URL of tpm2-pkcs11")
bad("key: with passphrase", files("chain.pem", "encrypted.key"), 3, "passphrase: store it without")
bad("key: of another certificate", files("chain.pem", "client.key"), 3,
    "client.key: is not the key of the certificate in .*chain.pem: name the right pair")
bad("client-ca: no such file", files("chain.pem", "server.key", 'client-auth = "require"',
                                     'client-ca = "/nonexistent/ca.pem"'), 5, "No such file")
bad("client-ca: not of a CA", files("chain.pem", "server.key", 'client-auth = "require"',
                                    f'client-ca = "{certs}/client.pem"'), 5, "not of a CA")

good("a profile's offload", in_profile('offload = "on"'))
bad("offload", in_profile('offload = "maybe"'), 4, '"maybe": write "auto", "on" or "off"')
bad("truncation", in_profile('truncation = "maybe"'), 4, '"maybe": write "strict" or "tolerate"')
bad("proxy-protocol", in_profile('proxy-protocol = "v1"'), 4, '"v1": write "v2"')
bad("allow: no rule", in_profile('client-auth = "request"', f'client-ca = "{certs}/clients.pem"',
                                'allow = { "dns:a.test", "host:b.test" }'), 6,
    'allow has "host:b.test": write "cn:"')
bad("allow without client certificates", in_profile('allow = { "dns:a.test" }'), 4,
    "allow does nothing while clients show no certificate")
bad("crl without client certificates", in_profile(f'crl = "{certs}/revoked.crl"'), 4,
    "crl does nothing while clients show no certificate")
bad("crl: not one", in_profile('client-auth = "request"', f'client-ca = "{certs}/ca.pem"',
                               f'crl = "{certs}/ca.pem"'), 6, "holds no revocation list: name a PEM")
bad("crl: expired", in_profile('client-auth = "request"', f'client-ca = "{certs}/ca.pem"',
                               f'crl = "{certs}/expired.crl"'), 6,
    r"expired.crl: list 1 expired on .* UTC: fetch the CA's newest")

bad("crl: of another key in the CA's name",
    in_profile('client-auth = "request"', f'client-ca = "{certs}/ca.pem"',
               f'crl = "{certs}/forged.crl"'), 6,
    "forged.crl: list 1 is not signed by the CA whose name it has: fetch it anew")
bad("crl: an empty directory",
    in_profile('client-auth = "request"', f'client-ca = "{certs}/ca.pem"',
               f'crl = "{certs}/no-crls"'), 6, "no-crls: holds no file NAME.crl")
bad("ocsp: no such file", files("chain.pem", "server.key", 'ocsp = "/nonexistent"'), 4, "No such file")
bad("ocsp: no response", files("chain.pem", "server.key", f'ocsp = "{certs}/ca.pem"'), 4,
    "ca.pem: is no successful OCSP response: fetch one")
bad("ocsp: of another certificate",
    files("chain.pem", "server.key", f'ocsp = "{certs}/must-staple.ocsp"'), 4,
    "is about none of the certificates")
bad("ocsp: revoked", files("chain.pem", "server.key", f'ocsp = "{certs}/revoked.ocsp"'), 4,
    "says that the certificate is revoked")
bad("must-staple without a response", files("must-staple.pem", "must-staple.key"), 2,
    r"must-staple.pem: demands a stapled OCSP response \(must-staple\): name a current one")
bad("must-staple with an old response",
    files("must-staple.pem", "must-staple.key", f'ocsp = "{certs}/old-must-staple.ocsp"'), 4,
    "old-must-staple.ocsp: is not current")


bad("client: a profile's option", in_client("ports = { 443 }"), 7, "no such option 'ports'")
bad("profile: a client's option", in_profile('server-name = "a"'), 4, "no such option 'server-name'")
bad("client: set twice", in_client("timeout = 1", "timeout = 2"), 8,
    r"timeout is set a second time \(first on line 7\): remove one")
bad("client: bad name", in_client().replace('"up"', '"u p"'), 6, 'section name "u p": use letters')
bad("client: server-name", in_client('server-name = "*.example.test"'), 7,
    "write a host name in ASCII, or an IP address")
bad("client: certificate without key", in_client(f'certificate = "{certs}/client.pem"'), 7,
    "client.pem: holds no private key")
bad("client: key without certificate", in_client(f'key = "{certs}/client.key"'), 7,
    "1 key, but 0 certificates")
bad("client: certificate of a server", in_client(f'certificate = "{certs}/expired.pem"',
                                                 f'key = "{certs}/expired.key"'), 7, "expired on")
bad("client: certificate for servers", in_client(f'certificate = "{certs}/server.pem"',
                                                 f'key = "{certs}/server.key"'), 7,
    "lacks clientAuth: issue one for a TLS client")
bad("client: ca that is none", in_client(f'ca = "{certs}/server.pem"'), 7, "not of a CA")
bad("client: no such ca", in_client('ca = "/nonexistent.pem"'), 7, "No such file")
bad("client: behind another section, lines are its own",
    'client "a" { }\nclient "b" {\ntimeout = 5\n}\nprofile "c" {\ntimeout = 0\n}\n', 6, "timeout is 0")

os.unlink(path)
bad("no file", None, 0, r"cannot be read: No such file or directory: write one \(kseald.conf\(5\)\), or name another")
bad("binary file", "workers = 1\n\0\n", 0, "binary data")

# As another user: without root's right to read everything.
if os.geteuid() == 0:
    with open(path, "w") as f:
        f.write(files("chain.pem", "unreadable.key"))
    os.chmod(certs, 0o755)
    os.chmod(path, 0o644)
    nobody = {"capture_output": True, "text": True, "user": 65534, "group": 65534, "extra_groups": []}
    p = subprocess.run([kseald, "-c", path, "-t"], **nobody)
    report("a key that cannot be read says who must be able to",
           None if p.returncode == 78 and re.search(
               r":3: .*unreadable.key: Permission denied: let user nobody read it", p.stderr)
           else f"{p.returncode} {p.stderr}")
    p = subprocess.run([kseald, "-c", path, "-t", "--user=nobody"], capture_output=True, text=True)
    report("so does a check for another user",
           None if p.returncode == 78 and "let user nobody read it" in p.stderr else f"{p.returncode} {p.stderr}")
    p = subprocess.run([kseald, "-c", path, "-t", "--user=root"], **nobody)
    report("who is not root can't become another user",
           None if p.returncode == 77 and "cannot become root: " in p.stderr and "start as root" in p.stderr
           else f"{p.returncode} {p.stderr}")
    os.chmod(path, 0o600)
    p = subprocess.run([kseald, "-c", path, "-t"], **nobody)
    report("a configuration that cannot be read says who must be able to",
           None if p.returncode == 78 and p.stderr.startswith(
               f"{path}: cannot be read: Permission denied: let user nobody read it")
           else f"{p.returncode} {p.stderr}")

status, out, err = check(None, "--user=no-such-user", "--check")
report("--user: nobody of the name", None if status == 67 and "create it" in err else f"{status} {err}")
status, out, err = check(None, "--version")
report("--version", None if status == 0 and re.match(r"kseald \d+\.\d+", out) else out + err)
status, out, err = check(None, "--help")
report("--help names every option", None if status == 0 and "--config" in out and
       "--check" in out and "78 wrong configuration" in " ".join(out.split()) else out + err)
status, out, err = check('log-level = "lo\\"ud"\n' + in_profile(), "-c", path, "--log-format=json")
try:
    entry = [json.loads(line) for line in err.splitlines()][-1]
    problem = None if entry["level"] == "error" and 'lo"ud' in entry["message"] and re.match(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", entry["time"]) else err
except ValueError as e:
    problem = f"{e}: {err!r}"
report("--log-format=json: a line is an object", problem)
status, out, err = check(in_profile(), "-c", path, "--log-format=xml")
report("--log-format: another is wrong usage",
       None if status == 64 and "text or json" in err else f"{status} {err}")

# Keys in a token, of which no message may tell the PIN, and credentials of the unit.
def with_key(key, certificate="chain.pem"):
    return f'profile "web" {{\ncertificate = "{certs}/{certificate}"\nkey = "{key}"\n}}\n'


TOKEN = "pkcs11:token=kseal;object="
good("a key in a token, its PIN in a file", with_key(f"{TOKEN}server?pin-source=file:{certs}/pin"))
good("a key in a token, its PIN in the URL", with_key(f"{TOKEN}server?pin-value=4321"))
for name, url, pattern in (
        ("no PIN", f"{TOKEN}server", r"object=server: the token wants another PIN: .*pin-source=FILE"),
        ("a wrong PIN", f"{TOKEN}server?pin-value=9876", r"object=server: the token wants another PIN"),
        ("no file with the PIN", f"{TOKEN}server?pin-source=file:{certs}/none",
         r"object=server: its pin-source .*/none: No such file or directory: let kseald read it, or correct"),
        ("no such key", f"{TOKEN}nothing?pin-value=4321", r"object=nothing: the token has no such key: p11tool"),
        ("no such token", "pkcs11:token=none;object=server?pin-value=4321", "there is no such token: p11tool --list-tokens"),
        ("not the certificate's", f"{TOKEN}rsa?pin-value=4321",
         r"object=rsa: is not the key of the certificate in .*/chain\.pem: name the right pair"),
        ("a TPM's", "tpmkey:uuid=7f468c16", "this GnuTLS can't use such keys: name a PEM file, or a pkcs11: URL; a TPM has those by tpm2-pkcs11")):
    bad(f"a key in a token: {name}", with_key(url), 3, pattern)
    status, out, err = check(None)
    report(f"{name}: the PIN stays a secret", None if not re.search("4321|9876|pin-value=", out + err) else out + err)
os.environ["CREDENTIALS_DIRECTORY"] = certs
good("a credential of the unit", with_key("${CREDENTIALS_DIRECTORY}/server.key"))
bad("no such credential", with_key("${CREDENTIALS_DIRECTORY}/none.key"), 3,
    re.escape(f"{certs}/none.key: No such file or directory"))
del os.environ["CREDENTIALS_DIRECTORY"]
bad("no credentials at all", with_key("${CREDENTIALS_DIRECTORY}/server.key"), 3,
    r"\$\{CREDENTIALS_DIRECTORY\} is not set: systemd sets it for a unit with LoadCredential=")
bad("a variable that is not set", with_key("${KSEAL_TEST_KEYS}/server.key"), 3,
    r"\$\{KSEAL_TEST_KEYS\} is not set: set it for kseald .* or write \$\{KSEAL_TEST_KEYS:-VALUE\}")
bad("its line in a string of several", with_key("a\nb\n${KSEAL_TEST_KEYS}"), 5, "is not set")
good("a variable with a default", with_key("${KSEAL_TEST_KEYS:-" + certs + "}/server.key"))
good("one in a comment is none", f'# "${{KSEAL_TEST_KEYS}}"\n{in_profile()}')
bad("a dollar sign", with_key(r"/\${KSEAL_TEST_KEYS}/none"), 3, r"/\$\{KSEAL_TEST_KEYS\}/none: No such file")
for text in "${}", "${KSEAL_TEST_KEYS", "${A:B}":
    bad(f"no variable: {text}", with_key(text + "/server.key"), 3, r"names no variable: write \$\{NAME\}")
bad("a variable without quotes", in_profile("tickets = ${KSEAL_TEST_KEYS}"), 4,
    "replaced between double quotes only")

# The section "kernel".
ONLY13 = f'profile "nfs" {{\n{C}\n{K}\nversions = {{ "1.3" }}\n}}\n'
CLIENT13 = 'client "nfs" {\nversions = { "1.3" }\n}\n'
good("kernel: both", ONLY13 + CLIENT13 + 'kernel {\nserver = "nfs"\nclient = "nfs"\n}\n')
good("kernel: before the sections that it names", 'kernel {\nserver = "nfs"\n}\n' + ONLY13)
bad("kernel: no such profile", ONLY13 + 'kernel {\nserver = "web"\n}\n', 7,
    'there is no profile "web": add the section, or name another')
bad("kernel: no such client", ONLY13 + 'kernel {\nserver = "nfs"\n\nclient = "web"\n}\n', 9,
    'there is no client "web": add the section, or name another')
bad("kernel: a profile with TLS 1.2", GOOD + '}\nkernel {\nserver = "web"\n}\n', 6,
    'profile "web" allows TLS 1.2, .* write versions = { "1.3" } there')
bad("kernel: a profile with a preamble", ONLY13[:-2] + 'proxy-protocol = "v2"\n}\nkernel {\nserver = "nfs"\n}\n', 8,
    'profile "nfs" has proxy-protocol, .* name another')
bad("kernel: nobody", ONLY13 + 'kernel {\n}\n', 6, 'serves nobody: add server = "PROFILE", client = "CLIENT", or both')
bad("kernel: twice", ONLY13 + 'kernel {\nserver = "nfs"\n}\nkernel {\nserver = "nfs"\n}\n', 11,
    'a second section "kernel": put its lines into the first')
bad("kernel: a typing error", ONLY13 + 'kernel {\nservers = "nfs"\n}\n', 7, "do you mean server\\?")
bad("a section after the section kernel is told by its line",
    'kernel {\nserver = "nfs"\n}\n' + ONLY13 + 'profile "x" {\n}\n', 9,
    'profile "x" has no certificate')

# The section "metrics".
for where in "/run/kseal/metrics", "127.0.0.1:9464", "[::1]:9464":
    good(f"metrics: {where}", GOOD + f'}}\nmetrics {{\nlisten = "{where}"\n}}\n')
for where in "9464", "localhost:9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:1x", "::1:9464", \
        "metrics", "/" + 108 * "x":
    bad(f"metrics: {where[:20]}", GOOD + f'}}\nmetrics {{\nlisten = "{where}"\n}}\n', 6,
        f'listen is "{re.escape(where)}": write an absolute path, or ADDRESS:PORT')
bad("metrics: nowhere", GOOD + '}\nmetrics {\n}\n', 5, 'listens nowhere: add listen = "/run/kseal/metrics"')
bad("metrics: twice", GOOD + '}\n' + 2 * 'metrics {\nlisten = "/x"\n}\n', 10, 'a second section "metrics"')

status, out, err = check(None, "--frobnicate")
report("an unknown option is wrong usage", None if status == 64 else f"{status} {err}")
status, out, err = check(None, "surplus")
report("an argument is wrong usage", None if status == 64 else f"{status} {err}")
status, out, err = check('workers = 1\nbad\n', "-c", path)
report("the daemon itself refuses a bad configuration",
       None if status == 78 and f"kseald: error: {path}:" in err else f"{status} {err}")
if not os.path.exists("/sys/module/kseal"):
    status, out, err = check(in_profile(), "-c", path)
    report("without kseal.ko it says what to do",
           None if status == 69 and "kseal.ko is not loaded: modprobe kseal" in err
           else f"{status} {err}")

print(f"1..{count}")
sys.exit(1 if failures else 0)

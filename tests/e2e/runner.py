# SPDX-License-Identifier: GPL-2.0
"""Runs suites of tests, test_NAME.py, in a guest whose kernel has no kseal module
loaded: loads the module, starts the agent, prints TAP; the last tests unload the
module and read the kernel's log. Called by tests/e2e/run and tests/interop/run.
Environment: KSEAL_KO, KSEAL_KSEALD, KSEAL_CLI (what to test), TMPDIR."""

import argparse
import fnmatch
import os
import subprocess
import sys
import time

import harness


def wanted(test, patterns):
    """By its name, or all of a suite."""
    name, function = test[:2]
    suite = function.__module__.removeprefix("test_")
    return not patterns or any(p == suite or fnmatch.fnmatchcase(name, f"*{p}*") for p in patterns)


def report(number, name, verdict, said):
    if verdict == "ok":
        print(f"ok {number} - {name}", flush=True)
    elif verdict.startswith("skip"):
        print(f"ok {number} - {name} # SKIP {verdict[5:]}", flush=True)
    else:
        print(f"not ok {number} - {name}")
        print(f"# {verdict}")
        for line in said:
            print(f"#   {line}")
        sys.stdout.flush()


def run_test(name, function, timeout, args, log):
    """One test, and what must be so after each. Returns verdict and diagnostics."""
    with open(harness.agent.log, "a") as f:
        begin = f.tell()
    verdict, said = harness.run_one(function, timeout, args)
    lines = log.lines()
    faults = log.faults(lines)
    if faults:
        verdict = "the kernel has found a fault"
        said += ["kernel: " + line for line in lines[max(0, faults[0] - 5):][:80]]
    if name.startswith("the_module"):    # they have no agent any more
        return verdict, said
    if not harness.agent.pid():
        if verdict == "ok":
            verdict = "the agent is gone"
        with open(harness.agent.log, errors="replace") as f:
            f.seek(begin)
            said += ["agent: " + line for line in f.read().splitlines()[-40:]]
        harness.agent.start()
    elif verdict not in ("ok",) and not verdict.startswith("skip"):
        with open(harness.agent.log, errors="replace") as f:
            f.seek(begin)
            said += ["agent: " + line for line in f.read().splitlines()[-20:]]
    return verdict, said


def main(description, suites):
    """The suites in the order in which they run; the last takes the module away."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-k", action="append", metavar="PATTERN", default=[],
                        help="only tests whose name contains PATTERN (shell wildcards), or of "
                             "the suite of this name")
    parser.add_argument("-l", action="store_true", help="list the tests")
    parser.add_argument("--long", action="store_true",
                        help="the long tests too, which else run only if -k has their full name")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run them N times")
    args = parser.parse_args()

    for suite in suites:
        __import__(f"test_{suite}")
    short = [t for t in harness.tests
             if args.long or t[0] not in harness.long_tests or t[0] in args.k]
    # A case that was renamed must not vanish from a list of patterns unseen.
    for pattern in args.k:
        if not any(wanted(t, [pattern]) for t in short):
            long = any(wanted(t, [pattern]) for t in harness.tests)
            sys.exit(f"{sys.argv[0]}: no case matches {pattern!r}" + " without --long" * long)
    chosen = [t for t in short if wanted(t, args.k)]
    if args.l:
        print("\n".join(t[0] for t in chosen))
        return 0
    # Without the last ones the module would stay.
    final = [t for t in harness.tests if t[0].startswith("the_module")]
    chosen = [t for t in chosen if t not in final] * args.repeat + final

    if os.getuid():
        sys.exit(f"{sys.argv[0]}: run me as root, in a guest")
    if harness.loaded():
        sys.exit(f"{sys.argv[0]}: a kseal module is loaded already")
    if not os.path.isdir(harness.BIN):
        subprocess.run(["make", "-s", "-C", harness.HERE], check=True)

    log = harness.KernelLog()
    print("TAP version 13")
    print(f"1..{len(chosen)}", flush=True)
    try:
        harness.set_up()
    except BaseException as e:
        print(f"Bail out! {e}")
        print("\n".join("#   kernel: " + line for line in log.lines()[-40:]))
        raise
    print(f"# machine: {harness.SLOW} times slower, files in {harness.tmp}", flush=True)
    failed = 0
    for number, (name, function, timeout, arguments) in enumerate(chosen, 1):
        begin = time.monotonic()
        verdict, said = run_test(name, function, timeout, arguments, log)
        took = time.monotonic() - begin
        if took > 10:
            print(f"# {name}: {took:.0f} s")
        failed += not (verdict == "ok" or verdict.startswith("skip"))
        report(number, name, verdict, said)
    harness.tear_down()
    print(f"# {len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0

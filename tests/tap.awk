# SPDX-License-Identifier: GPL-2.0
#
# Reads one suite's TAP, prints it as part of a larger stream, where all tests have
# the number 0 yet, and appends one line a test to the file RESULTS: pass, fail or
# skip, a tab, the name. A missing or wrong plan is a failure of its own. Called by
# tests/check. Variables: suite, results.

function result(kind, name, tail)
{
	print kind "\t" suite ": " name >>results
	print (kind == "fail" ? "not ok " : "ok ") "0 - " suite ": " name tail
	fflush()
}

/^1\.\.[0-9]+/ {
	plan = substr($1, 4) + 0
	planned = 1
	if (plan == 0 && toupper($0) ~ /# *SKIP/) {
		reason = $0
		sub(/^[^#]*# *[Ss][Kk][Ii][Pp][a-z]* */, "", reason)
		result("skip", "all of it", " # SKIP " reason)
		seen++
		plan = 1
	}
	next
}

/^(not )?ok( |$)/ {
	seen++
	line = $0
	bad = sub(/^not /, "", line)
	sub(/^ok */, "", line)
	sub(/^[0-9]+ */, "", line)
	sub(/^- */, "", line)
	if (line ~ /# *[Ss][Kk][Ii][Pp]/ && !bad) {
		reason = line
		sub(/^.*# *[Ss][Kk][Ii][Pp][a-z]* */, "", reason)
		sub(/ *# *[Ss][Kk][Ii][Pp].*/, "", line)
		result("skip", line, " # SKIP " reason)
	} else {
		result(bad ? "fail" : "pass", line, "")
	}
	next
}

/^Bail out!/ {
	bail = $0
}

/^TAP version/ { next }

{ print ($0 ~ /^[ #]/ ? $0 : "# " $0); fflush() }

END {
	if (bail)
		result("fail", bail, "")
	else if (!planned)
		result("fail", "no plan: the suite did not finish", "")
	else if (plan != seen)
		result("fail", "planned " plan " tests and ran " seen, "")
}

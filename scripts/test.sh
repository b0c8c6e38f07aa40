#!/bin/sh
# Builds and tests everything, from a clean clone on. The last line says
# "N passed, N failed" (and ", N skipped" when a tool is not there, or the kernel
# makes no hosts for tests); exit status 1 when something failed. Each Check test counts, and each check made here.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
exec </dev/null
unset XCLUSTER_DIR XCLUSTER_CONNECTION XCLUSTER_COMMAND XCLUSTER DESTDIR TB_BIND

limit=700 # seconds for the suites of one build
passed=0
failed=0
skipped=0
tmp=$(mktemp -d /tmp/xctest.XXXXXX)
log=$tmp/log
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- Counting ----------------------------------------------------------------

pass()
{
	passed=$((passed + 1))
	printf 'ok      %s\n' "$1"
}

fail()
{
	failed=$((failed + 1))
	printf 'FAILED  %s\n' "$1"
	tail -n "${2:-60}" "$log" | sed 's/^/        /'
}

skip()
{
	skipped=$((skipped + 1))
	printf 'skipped %s: %s\n' "$1" "$2"
}

# check NAME COMMAND...
check()
{
	name=$1
	shift
	if "$@" >"$log" 2>&1; then
		pass "$name"
	else
		fail "$name"
		return 1
	fi
}

has()
{
	command -v "$1" >/dev/null 2>&1
}

finish()
{
	line="$passed passed, $failed failed"
	[ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
	printf '%s\n' "$line"
	[ "$failed" -eq 0 ]
	exit
}

# ---- Builds and suites ---------------------------------------------------------

# build DIR COMPILER [OPTION...]
build()
{
	dir=$1
	cc=$2
	shift 2
	if [ ! -f "$dir/build.ninja" ]; then
		rm -rf "$dir"
		CC=$cc meson setup "$dir" "$@" || return 1
	fi
	ninja -C "$dir"
}

# Prints a line for each test program, what failed ones wrote, and why tests were
# skipped; the last line is "passed failed skipped".
read_results()
{
	python3 - "$1" "$2" <<'END'
import json, re, sys

path, kind = sys.argv[1:]
passed = failed = skipped = programs = 0
line = re.compile(r'\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)')
try:
    records = [json.loads(text) for text in open(path)]
except OSError:
    records = []
for test in records:
    name = '%s: %s' % (kind, test['name'].replace('xcluster:', '').replace(' / ', ' '))
    output = test.get('stdout') or ''
    good = test['result'] in ('OK', 'EXPECTEDFAIL')
    programs += 1
    if test['result'] == 'SKIP':
        skipped += 1
        print(': '.join(['skipped %s' % name] + output.splitlines()[-1:]))
        continue
    for reason in re.findall(r'^SKIPPED (.*)', output, re.M):
        skipped += 1
        print('skipped %s, %s' % (name, reason))
    counts = [tuple(map(int, found)) for found in line.findall(output)]
    checks = sum(c[0] for c in counts)
    bad = sum(c[1] + c[2] for c in counts)
    if not counts or test['result'] == 'EXPECTEDFAIL': # itself is the check
        checks, bad = (1, 0) if good else (1, 1)
    elif not good and bad == 0:
        checks, bad = checks + 1, 1
    passed += checks - bad
    failed += bad
    words = '%s (%d in %.1f s)' % (name, checks, test['duration'])
    if bad == 0:
        print('ok      %s' % words)
        continue
    print('FAILED  %s: %d failed, %s, status %s' %
          (words, bad, test['result'], test.get('returncode')))
    errors = test.get('stderr') or ''
    for text in output.splitlines()[-40:] + errors.splitlines()[-60:]:
        print('        ' + text[:500])
if programs == 0:
    failed += 1
    print('FAILED  %s: no test has run' % kind)
print(passed, failed, skipped)
END
}

# suites KIND DIR MULTIPLIER OPTION...: those tests of a build that meson's options choose.
suites()
{
	kind=$1
	dir=$2
	multiplier=$3
	shift 3
	rm -f "$dir"/meson-logs/testlog.json
	timeout -s INT -k 30 "$limit" meson test -C "$dir" --no-rebuild \
		--timeout-multiplier "$multiplier" "$@" >"$log" 2>&1
	status=$?
	read_results "$dir/meson-logs/testlog.json" "$kind" >"$tmp/results"
	sed '$d' "$tmp/results"
	# shellcheck disable=SC2046 # three numbers
	set -- "$kind" $(tail -n 1 "$tmp/results")
	passed=$((passed + $2))
	failed=$((failed + $3))
	skipped=$((skipped + $4))
	if [ "$status" -ge 124 ]; then
		fail "$1: the suites did not end within $limit s" 20
	elif [ "$status" -ne 0 ] && [ "$3" -eq 0 ]; then
		fail "$1: meson test ended with status $status" 20
	fi
}

# Sanitizers write a file a process, so that what a daemon has to say is seen,
# too. Tasks of the tests crash on purpose; that alone is no finding.
findings()
{
	for file in "$tmp"/reports/*; do
		[ -f "$file" ] || continue
		grep -E 'ERROR: |runtime error:' "$file" |
			grep -Evq 'AddressSanitizer: (SEGV|ABRT|FPE|ILL|BUS|stack-overflow)' &&
			cat "$file"
	done >"$tmp/findings"
	cat "$tmp/findings"
	[ ! -s "$tmp/findings" ]
}

sanitized_suites()
{
	mkdir -p "$tmp/reports"
	# The hosts of the test bed, and their users, report there, too.
	chmod 1777 "$tmp/reports"
	# libzmq asks for as much memory as a stranger's bytes claim, and takes a no.
	common=halt_on_error=1:abort_on_error=1:print_summary=1:allocator_may_return_null=1
	ASAN_OPTIONS=$common:log_path=$tmp/reports/asan
	UBSAN_OPTIONS=$common:print_stacktrace=1:log_path=$tmp/reports/ubsan
	export ASAN_OPTIONS UBSAN_OPTIONS
	export TB_BIND="$tmp/reports"
	suites sanitizers build-asan 3 --no-suite hosts
	suites sanitizers build-asan 3 --suite hosts-sanitized
	unset ASAN_OPTIONS UBSAN_OPTIONS TB_BIND
	check "sanitizers: nothing found in any process" findings
}

# ---- Sources and documents -------------------------------------------------------

c_files()
{
	git ls-files -- '*.c' '*.h' 2>/dev/null || find . -path './build*' -prune -o -name '*.[ch]' -print
}

format_check()
{
	c_files >"$tmp/files"
	[ -s "$tmp/files" ] && xargs clang-format --dry-run -Werror <"$tmp/files"
}

check_format()
{
	if ! has clang-format; then
		skip "format of the C files" "there is no clang-format"
	elif ! clang-format --version | grep -q ' 14\.'; then
		skip "format of the C files" "other versions than 14 format otherwise"
	else
		check "format of the C files" format_check
	fi
}

lint_manuals()
{
	mandoc -Tlint -Wwarning docs/man/*.[1-9]
}

check_manuals()
{
	if has mandoc; then
		check "manual pages" lint_manuals
	else
		skip "manual pages" "there is no mandoc"
	fi
}

compile_header()
{
	echo '#include "xcluster.h"' >"$tmp/header.c"
	"$1" -std="$2" -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only -x "$3" "$tmp/header.c"
}

check_header()
{
	check "xcluster.h alone, as C11" compile_header gcc c11 c
	if has clang; then
		check "xcluster.h alone, as C++" compile_header clang c++17 c++
	else
		skip "xcluster.h alone, as C++" "there is no clang"
	fi
}

# ---- As a user would --------------------------------------------------------------

install_to_stage()
{
	DESTDIR=$tmp/stage meson install -C build-test --no-rebuild &&
		find "$tmp/stage" -name xcluster.pc | grep . &&
		find "$tmp/stage" -name xcluster.h | grep . &&
		find "$tmp/stage" -path '*man1*' -name 'xcluster.1*' | grep . &&
		find "$tmp/stage" -path '*man3*' -name 'libxcluster.3*' | grep .
}

# The program of README.md, by the commands that stand there; its output stands
# there, too.
run_readme()
{
	stage=$tmp/stage
	prefix=$stage$(sed -n 's/^prefix=//p' "$(find "$stage" -name xcluster.pc)")
	mkdir -p "$tmp/readme/clusters"
	chmod 700 "$tmp/readme/clusters"
	sed -n '/^```c$/,/^```$/{/^```/d;p;}' README.md >"$tmp/readme/x.c"
	sed -n '/^```text$/,/^```$/{/^```/d;p;}' README.md >"$tmp/readme/wanted"
	[ -s "$tmp/readme/x.c" ] && [ -s "$tmp/readme/wanted" ] || return 1
	export PKG_CONFIG_SYSROOT_DIR="$stage"
	PKG_CONFIG_PATH=$(dirname "$(find "$stage" -name xcluster.pc)")
	LD_LIBRARY_PATH=$(dirname "$(find "$stage" -name libxcluster.so)")
	PATH=$prefix/bin:$PATH
	XCLUSTER_DIR=$tmp/readme/clusters
	export PKG_CONFIG_PATH LD_LIBRARY_PATH PATH XCLUSTER_DIR
	cd "$tmp/readme" || return 1
	# shellcheck disable=SC2046 # words
	cc -Wall -Wextra -Werror x.c -o x $(pkg-config --cflags --libs xcluster) || return 1
	xcluster start -n 4 || return 1
	timeout 60 ./x >output
	r=$?
	cat output
	xcluster stop && [ "$r" -eq 0 ] && grep -qxF "$(cat wanted)" output
}

run_readme_apart()
{
	(run_readme)
}

run_demo()
{
	timeout 300 sh scripts/demo.sh >"$tmp/demo" 2>&1
	r=$?
	cat "$tmp/demo"
	[ "$r" -eq 0 ] && grep -q '^RMSE' "$tmp/demo"
}

# ---- All of it ---------------------------------------------------------------------

sh scripts/setup.sh --tests --no-build >"$log" 2>&1 || { fail "set-up"; finish; }

if check "build with gcc" build build-test gcc -Dwerror=true; then
	suites gcc build-test 1 --no-suite hosts
	suites gcc build-test 1 --suite hosts
	if check "installation" install_to_stage; then
		check "example of README.md" run_readme_apart
	else
		skip "example of README.md" "nothing is installed"
	fi
fi
if check "build with gcc, ASan and UBSan" build build-asan gcc -Db_sanitize=address,undefined -Dwerror=true; then
	sanitized_suites
fi
check "release build with gcc" build build-release gcc --buildtype=release -Dwerror=true
if has clang; then
	check "build with clang" build build-clang clang -Dwerror=true
else
	skip "build with clang" "there is no clang"
fi
check_format
check_header
check_manuals
check "demo" run_demo
finish

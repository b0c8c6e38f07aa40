#!/bin/sh
# Installs what this system lacks (Debian, Ubuntu and their like; elsewhere it
# says what to install) and makes a release build in build/.
set -eu

usage()
{
	cat <<'END'
usage: scripts/setup.sh [--tests] [--no-build]
  --tests     also what the tests use: clang, clang-format, mandoc, g++, gfortran
  --no-build  only install
END
}

root=$(cd "$(dirname "$0")/.." && pwd)
tests=
build=yes
for argument; do
	case $argument in
	--tests) tests=yes ;;
	--no-build) build= ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done

say()
{
	printf 'setup: %s\n' "$*" >&2
}

has()
{
	command -v "$1" >/dev/null 2>&1
}

has_module()
{
	has pkg-config && pkg-config --exists "$1"
}

has_header()
{
	has gcc && printf '#include <%s>\n' "$1" | gcc -E -o /dev/null - 2>/dev/null
}

# Debian's names of what is not there. What is there is found by use, not by
# name, so that a meson of pip or a library in /usr/local counts.
missing_packages()
{
	has gcc || echo gcc
	has_header stdlib.h || echo libc6-dev
	has pkg-config || echo pkg-config
	has meson || echo meson
	has ninja || has ninja-build || echo ninja-build
	has_module libzmq || echo libzmq3-dev
	has_module msgpack-c || has_module msgpack || echo libmsgpack-dev
	has_module libsodium || echo libsodium-dev
	has_module libczmq || echo libczmq-dev
	has_module jansson || echo libjansson-dev
	has_header uthash.h || echo uthash-dev
	has_module check || echo check
	[ -n "$tests" ] || return 0
	has python3 || echo python3
	has clang || echo clang
	has clang-format || echo clang-format
	has mandoc || echo mandoc
	has c++ || echo g++
	has gfortran || echo gfortran
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# Mirrors fail now and then; the last failure is shown.
try_thrice()
{
	log=$(mktemp)
	for wait in 3 10 0; do
		if as_root env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >"$log" 2>&1; then
			rm -f "$log"
			return 0
		fi
		[ "$wait" -eq 0 ] || sleep "$wait"
	done
	tail -n 20 "$log" >&2
	rm -f "$log"
	return 1
}

install_packages()
{
	if ! has apt-get; then
		say "this is no Debian or Ubuntu: install a C compiler, pkg-config, meson (1.0 or" \
			"later), ninja, and the development files of ZeroMQ, msgpack-c, libsodium," \
			"jansson, uthash and Check by hand; not found (by Debian's names): $*"
		return 1
	fi
	if [ "$(id -u)" -ne 0 ] && ! has sudo; then
		say "not found: $*; run this as root, or install sudo"
		return 1
	fi
	say "installing $*"
	try_thrice apt-get -q update || say "apt-get update failed; going on with old lists"
	if ! try_thrice apt-get -q install -y --no-install-recommends "$@"; then
		say "apt-get could not install $*"
		return 1
	fi
}

# Tools that only some tests use must not keep the others from running.
install_missing()
{
	# shellcheck disable=SC2046 # a word a package
	set -- $(missing_packages)
	[ $# -eq 0 ] || install_packages "$@" || [ -n "$tests" ] || exit 1
	for needed in gcc pkg-config meson; do
		has "$needed" || { say "there is no $needed"; exit 1; }
	done
	case $(meson --version) in
	0.*) say "meson $(meson --version) is too old: 1.0 or later is needed"; exit 1 ;;
	esac
}

release_build()
{
	say "building in $root/build"
	log=$(mktemp)
	if { [ -f "$root/build/build.ninja" ] ||
		meson setup --buildtype=release "$root/build" "$root"; } >"$log" 2>&1 &&
		meson compile -C "$root/build" xcluster:executable loo_forest hello </dev/null >>"$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	tail -n 40 "$log" >&2
	rm -f "$log"
	say "the build in $root/build failed"
	return 1
}

install_missing
[ -z "$build" ] || release_build

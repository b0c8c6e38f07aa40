#!/bin/sh
# Installs what this system lacks (Debian, Ubuntu and their like; elsewhere it
# says what to install) and makes a release build in build/.
set -eu

usage()
{
	cat <<'END'
usage: scripts/setup.sh [--tests] [--no-build]
  --tests     also what the tests use: clang, clang-format, mandoc, g++, gfortran, numpy
              (the baseline of bench/draws.sh); and for several hosts on this machine:
              sshd, Slurm, munge, Open MPI, nftables, Grid Engine (unpacked, not
              installed). None of the daemons is started
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
	has_module libczmq || echo libczmq-dev
	has_module libsodium || echo libsodium-dev
	has_module libczmq || echo libczmq-dev
	has_module jansson || echo libjansson-dev
	has_header uthash.h || echo uthash-dev
	has_module openblas || echo libopenblas-dev
	has_module check || echo check
	[ -n "$tests" ] || return 0
	has python3 || echo python3
	has clang || echo clang
	has clang-format || echo clang-format
	has mandoc || echo mandoc
	has c++ || echo g++
	has gfortran || echo gfortran
	python3 -c 'import numpy' 2>/dev/null || /usr/bin/python3 -c 'import numpy' 2>/dev/null ||
		echo python3-numpy
}

# has_file PATTERN: the shell's own pattern.
has_file()
{
	# shellcheck disable=SC2086 # to be expanded
	set -- $1
	[ -e "$1" ]
}

# What makes the hosts of tests/testbed; daemons are in folders that are in root's PATH only.
missing_bed_packages()
{
	has ssh || echo openssh-client
	[ -x /usr/sbin/sshd ] || echo openssh-server
	has_file '/*bin/ip' || has_file '/usr/*bin/ip' || echo iproute2
	has ping || echo iputils-ping
	[ -x /usr/sbin/nft ] || echo nftables
	has expect || echo expect
	has mpiexec || echo openmpi-bin
	[ -x /usr/sbin/munged ] || echo munge
	[ -x /usr/sbin/slurmctld ] || echo slurmctld
	[ -x /usr/sbin/slurmd ] || echo slurmd
	has srun || echo slurm-client
	has_file '/usr/lib/*/slurm-wlm/auth_munge.so' || echo slurm-wlm-basic-plugins
	has qsub || echo slurm-wlm-torque
	has_file '/usr/lib/*/libjemalloc.so.2' || echo libjemalloc2
	has tcsh || echo tcsh
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

# Packages start their daemons as soon as they are installed, unless this file forbids it.
without_daemons()
{
	policy=/usr/sbin/policy-rc.d
	if [ -e $policy ]; then
		"$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
	as_root chmod 755 $policy
	r=0
	"$@" || r=$?
	as_root rm -f $policy
	return $r
}

# Beside Slurm's qsub, whose package would push Grid Engine's out.
unpack_gridengine()
{
	place=/var/lib/xcluster-testbed/gridengine
	if [ -e $place/usr/bin/qconf ] || ! has apt-get; then
		return 0
	fi
	say "unpacking Grid Engine in $place"
	tmp=$(mktemp -d)
	chmod 755 "$tmp"
	if (cd "$tmp" && try_thrice apt-get -q download gridengine-master gridengine-exec \
		gridengine-client gridengine-common); then
		for package in "$tmp"/*.deb; do dpkg -x "$package" "$tmp/tree"; done
		# A folder in the place of the link /lib would hide all libraries.
		rm -rf "$tmp/tree/lib" "$tmp/tree/usr/share/doc" "$tmp/tree/usr/share/man"
		as_root mkdir -p $place
		as_root cp -a "$tmp/tree/." $place
		as_root chown -R 0:0 $place
	else
		say "there will be no tests with Grid Engine"
	fi
	rm -rf "$tmp"
}

install_bed()
{
	# shellcheck disable=SC2046 # a word a package
	set -- $(missing_bed_packages)
	[ $# -eq 0 ] || without_daemons install_packages "$@" ||
		say "some tests with several hosts will be skipped"
	unpack_gridengine || say "there will be no tests with Grid Engine"
}

release_build()
{
	say "building in $root/build"
	log=$(mktemp)
	if { [ -f "$root/build/build.ninja" ] ||
		meson setup --buildtype=release "$root/build" "$root"; } >"$log" 2>&1 &&
		meson compile -C "$root/build" xcluster:executable loo_forest hello </dev/null >>"$log" 2>&1; then
		# Not in a build/ that was set up where there was no OpenBLAS.
		meson compile -C "$root/build" xcluster-blas </dev/null >>"$log" 2>&1 ||
			say "no linear algebra in $root/build: \`meson setup --wipe\` it for that"
		rm -f "$log"
		return 0
	fi
	tail -n 40 "$log" >&2
	rm -f "$log"
	say "the build in $root/build failed"
	return 1
}

install_missing
[ -z "$tests" ] || install_bed
[ -z "$build" ] || release_build

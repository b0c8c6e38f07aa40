#!/bin/sh
# All that clients can do, at random, for minutes instead of seconds: each round with
# another seed. Ends at the first round that fails, with its seed; status 1.
# usage: scripts/soak.sh [MINUTES [BUILD-DIRECTORY [FIRST-SEED]]]
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
minutes=${1:-10}
build=${2:-$root/build}
seed=${3:-$(date +%s)}
end=$(($(date +%s) + minutes * 60))
round=20 # seconds of each of the test's two parts

[ -f "$build/build.ninja" ] || {
	echo "soak.sh: $build is no build directory; sh scripts/setup.sh makes one" >&2
	exit 1
}
ninja -C "$build" >/dev/null || exit 1
XC_STRESS_SECONDS=$round
export XC_STRESS_SECONDS
while [ "$(date +%s)" -lt "$end" ]; do
	seed=$(((seed + 2) % 1000000007))
	XC_STRESS_SEED=$seed
	export XC_STRESS_SEED
	if ! meson test -C "$build" --no-rebuild --print-errorlogs stress >/dev/null; then
		echo "seed $seed failed: see $build/meson-logs/testlog.txt; again with" \
			"XC_STRESS_SEED=$seed XC_STRESS_SECONDS=$round" >&2
		exit 1
	fi
	echo "seed $seed ok"
done

#!/bin/sh
# From nothing to a result: set-up, build, a cluster of four engines,
# leave-one-out cross-validation of a random forest on it, and the cluster's end.
# usage: scripts/demo.sh [FILE.csv]
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
file=${1:-$root/examples/data/diabetes.csv}

"$root/scripts/setup.sh"

# A directory of its own, so that the user's clusters are left alone; short, as
# the paths of sockets may not be long.
XCLUSTER_DIR=$(mktemp -d /tmp/xcluster-demo.XXXXXX)
export XCLUSTER_DIR
unset XCLUSTER_CONNECTION

finish()
{
	status=$?
	trap '' INT TERM HUP
	trap - EXIT
	"$root/build/xcluster" stop >/dev/null 2>&1 || true
	rm -rf "$XCLUSTER_DIR"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

echo '$ xcluster start -n 4'
"$root/build/xcluster" start -n 4
echo "\$ loo_forest ${file#"$PWD"/}"
"$root/build/loo_forest" "$file"
echo '$ xcluster stop'
"$root/build/xcluster" stop

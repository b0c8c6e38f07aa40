#!/bin/bash
# Row push_hosts: a push of 1 GiB to 4 engines on each of 3 hosts of the test bed: the bytes
# that leave the client against those of one copy, and the time against a plain copy to one
# host over the same link. --rate: of each link, as tc has it (500mbit), as otherwise all hosts
# share what this machine can encrypt.
set -eu

rounds=3 mib=1024 rate=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) rounds=1 mib=128 ;;
	--rate) rate=$2; shift ;;
	*) echo "usage: [BUILD=DIR] bench/hosts_push.sh [--quick] [--rate RATE]" >&2; exit 2 ;;
	esac
	shift
done
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build-bench}
[ -f "$build/build.ninja" ] || meson setup --buildtype=release "$build" "$root" >&2
ninja -C "$build" >&2
export TB_TOOLS=$build/tests/testbed TB_CODE=$root:$build TB_XCLUSTER=$build/xcluster
tb=$root/tests/testbed/tb push=$build/bench/hosts_push
dir=$(mktemp -d)/bed
unset XCLUSTER XCLUSTER_CONNECTION XCLUSTER_DIR
trap '"$tb" down "$dir" >/dev/null 2>&1; rm -rf "$(dirname "$dir")"' EXIT
"$tb" up "$dir" --nodes 4 --owner $$ >&2

on()
{
	local host=$1
	shift
	"$tb" in "$dir" "$host" sh -c "cd; $*"
}

sent()
{
	on "$1" cat /sys/class/net/eth0/statistics/tx_bytes
}

on ctl "setsid xcluster controller --ip '*' </dev/null >controller.log 2>&1 &
	until [ -f .xcluster/default/connection.json ]; do sleep 0.02; done
	cp .xcluster/default/connection.json .xcluster/default/engines.json /bed"
for i in 1 2 3; do
	on node$i "install -m 600 /bed/engines.json .
		setsid xcluster engines --foreground -n 4 --connection ./engines.json \
			</dev/null >engines.log 2>&1 &"
done
on node4 "install -m 600 /bed/connection.json ."
if [ -n "$rate" ]; then
	for host in ctl node1 node2 node3 node4; do
		on $host "tc qdisc add dev eth0 root tbf rate $rate burst 1mb latency 100ms"
	done
fi

for k in $(seq $rounds); do
	mkfifo "$dir.ready"
	on node1 "exec $push receive 7000 $mib" >"$dir.ready" &
	read -r _ <"$dir.ready"
	rm "$dir.ready"
	copy=$(on node4 "$push copy node1 7000 $mib")
	wait $!
	client=$(sent node4) controller=$(sent ctl)
	time=$(on node4 "$push push ./connection.json 12 $mib")
	client=$(($(sent node4) - client)) controller=$(($(sent ctl) - controller))
	echo "$copy $time $client $controller"
done | sort -n -k2 | awk -v mib=$mib '
	{ copy[NR] = $1; time[NR] = $2; client[NR] = $3; controller[NR] = $4 }
	END {
		m = int((NR + 1) / 2); ideal = mib * 1048576; ratio = client[m] / ideal
		printf "push_hosts  bytes out of the client: %.0f MiB, ideal %d MiB, ratio %.3f, bar <= 1.3: %s\n",
			client[m] / 1048576, mib, ratio, ratio <= 1.3 ? "met" : "missed"
		printf "            bytes out of the controller: %.0f MiB\n", controller[m] / 1048576
		printf "            time: %.2f s to 12 engines on 3 hosts; plain copy to one: %.2f s, ratio %.2f\n",
			time[m], copy[m], time[m] / copy[m]
	}'
on ctl "xcluster stop" >/dev/null

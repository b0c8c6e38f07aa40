#!/bin/sh
# Checks the table of scenarios in tests/README.md: each test that it names must be
# defined in the file that it names, and be run there.
set -u
cd "$(dirname "$0")/.." || exit 1
table=${1:-tests/README.md}

rows=$(sed -n 's/^|[^|]*| `\([a-z0-9_]*\)` | `\([a-z_]*\.c\)` |$/\2 \1/p' "$table")
lines=$(sed -n '/^## Scenarios/,$p' "$table" | grep -c '^|')
known=$(printf '%s\n' "$rows" | grep -c .)
bad=0
# The title and the ruler are no rows.
if [ "$known" -eq 0 ] || [ "$known" -ne $((lines - 2)) ]; then
	echo "$table: $((lines - known - 2)) rows do not read: | scenario | \`test\` | \`file.c\` |"
	bad=1
fi
while read -r file name; do
	path=tests/integration/$file
	if ! grep -q "^START_TEST($name)\$" "$path"; then
		echo "$table: there is no test $name in $path"
		bad=1
	elif ! tr -d '\n\t ' <"$path" | grep -Eq "tcase_add_(loop_)?test\([a-z]+,$name[,)]"; then
		echo "$table: $path does not run $name"
		bad=1
	fi
done <<END
$rows
END
exit $bad

#!/bin/bash
# Copies a folder to another one, and keeps seven copies.
set -euo pipefail

readonly SOURCE="${1:?a folder is missing}"
TARGET=${2:-/var/backups}   # where to
n_copies=7

usage() {
    cat <<EOF
Usage: $0 FOLDER [TARGET]
  It's simple (really.
EOF
    exit 1
}

if [[ ! -d "$SOURCE" ]]; then
    echo "No folder: $SOURCE" >&2
    usage
fi

for i in $(seq 1 $((n_copies - 1))); do
    old="$TARGET/copy.$i"
    if [ -e "$old" ]; then
        mv -- "$old" "$TARGET/copy.$((i + 1))"
    fi
done

name=`basename "$SOURCE"`
find "$SOURCE" \( -name '*.o' -o -name '*~' \) -prune -o -print |
    sed -e 's/^\(.*\)\/$/\1/' > "$TARGET/$name.list"
cp -a -- "$SOURCE" "$TARGET/copy.1"

case $name in
    a*) echo 'starts with a' ;;
    *)  echo "else: ${name#*.}" ;;
esac

wait; kill -0 $$ && echo $HOME   # a price of $5
curl -s https://www.example.org/done?x=$n_copies | grep -c "<ok>"

cat <<-'END' | tee "$TARGET/log"
	Prices: $5, `date` and "quotes (are not closed
	[x] it's # no comment
	END
while read -r line; do
    case "$line" in
        (\#*) continue ;;
        *[!0-9]*) printf '%s\n' "${line//\"/\'}" ;;
    esac
done < <(grep -v '^#' "$SOURCE/list" | sort -u)

files=( "$SOURCE"/*.{c,h} )
[[ ${#files[@]} -gt 0 && $name =~ ^[a-z]+$ ]] || exit 2
x=$(echo "a $(basename "$name" .c) b"); y=$((x<<2)); z="it's \"z\""
awk '{ if ($1 > 5) print "<" $2 ">" }' "$TARGET/log" # sums
trap 'rm -f "$TARGET/lock"; echo "done"' EXIT
if ! mkdir "$TARGET/lock" 2>/dev/null && [ $# -lt 2 ]; then
    echo 'Can'\''t lock' >&2
elif (( n_copies > 5 )); then
    function f { local a=$1; [ "$a" = b ]; }
fi

declare -A sizes=( [a]=1 ["b c"]='$2' )
read -r -d '' page <<"HTML" || true
<p class="x">Costs $5 & `none` of {this}: "it's"</p>
HTML
for key in "${!sizes[@]}"; do echo "${key}: $(( sizes[$key] * 0x10 ))"; done
echo $'tab\t\'quoted\'' "a\"b" \" \# 'a # b' a#b "#c" ${name%%#*}
sum=$(awk -F: '{ s += $3 } END { printf "%d", s }' /etc/passwd) # sum
until [[ -z $(pgrep -f "a[b]c") ]]; do sleep 1; done

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

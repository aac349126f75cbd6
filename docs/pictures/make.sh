#!/bin/sh
# Make the pictures of "Does the model use it?" and "How often gates are saturated" in results.md anew, in this folder:
#
#     sh docs/pictures/make.sh models data
#
# `models` has warpeace_grid/lstm-1-256.pkl, gru-2-256.pkl and lstm-3-128.pkl, `data` has war_and_peace.txt. Some five
# minutes on two cores, and nine more of one core to train a GRU. Pictures are written with 256 colours, which makes them
# a third as large.
set -eu
models=$1
text=$2/war_and_peace.txt
pictures=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

tail -c 320229 "$text" > "$work/test.txt" # the last tenth
for name in lstm-1-256 gru-2-256 lstm-3-128; do
    probe import "$models/warpeace_grid/$name.pkl" --vocab "sorted:$text" -o "$work/$name.pt"
done
cd "$work"

probe story in_quotes --model lstm-1-256.pt --text test.txt -o story.png
probe impulse in_quotes --units 0/cell/163,0/hidden/163 --model lstm-1-256.pt --text test.txt -o impulse.png
probe steer line_length --hold 1/hidden/82=-0.8,-0.4,0,0.4,0.8 --samples 16 --length 300 --model gru-2-256.pt \
    --show 3 -o held.png
probe orders in_quotes --model gru-2-256.pt --text test.txt -o orders.png

probe train "$text" --cell gru --layers 3 --units 128 --epochs 4 --split 90,10 -o gru-3-128.pt
probe plot gates --model lstm-3-128.pt --text test.txt --lanes 1 -o gates_lstm.png
probe plot gates --model gru-3-128.pt --text test.txt --lanes 1 -o gates_gru.png

python - "$pictures" story.png impulse.png held.png orders.png gates_lstm.png gates_gru.png <<'END'
import sys
from pathlib import Path

from PIL import Image

for name in sys.argv[2:]:
    picture = Image.open(name).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(Path(sys.argv[1]) / name, optimize=True)
END

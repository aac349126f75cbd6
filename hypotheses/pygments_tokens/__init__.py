"""Token types of Pygments: one of each character of a program, with lexers made faster."""

"""States of a character of a program."""

CODE, COMMENT, STRING, DOCSTRING, FIELD, DOC_COMMENT, REGEX, NAME, DATA = range(9)
"""A `DOCSTRING` is a string, a `DOC_COMMENT` a comment. A `FIELD` is code within a string, as in the braces of an
f-string. A `REGEX`, a regular expression between slashes, a `NAME` in marks (as in SQL) and the `DATA` behind the end
of a program (as in Ruby) are neither code nor string."""

N_STATES = 9

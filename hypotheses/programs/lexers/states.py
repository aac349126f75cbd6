"""States of a character of a program."""

CODE, COMMENT, STRING, DOCSTRING, FIELD, DOC_COMMENT, REGEX = range(7)
"""A `DOCSTRING` is a string, a `DOC_COMMENT` a comment. A `FIELD` is code within a string, as in the braces of an
f-string. A `REGEX`, a regular expression between slashes, is neither code nor string."""

N_STATES = 7

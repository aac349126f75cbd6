"""The keywords of each language: its reserved words, and words such as `async` that are keywords where they stand."""

import keyword

ANYWHERE, BEFORE_NAME, BETWEEN, BEFORE_TEXT, IN_IMPORT, OF_TYPE, BEFORE_COMMAND, BEFORE_IN, IN, BEFORE_FUNCTION = range(
    10
)
"""Roles of a keyword: where it is one. Before a name in the same line (`get x`); between two names (`x as y`); before a
string (`from "x"`); in an import; where a type stands (`x: string`).
Words of shell are keywords where a command begins: another may follow; `in` follows a word later, and has its own role;
a function's name follows.
"""

PYTHON = tuple(keyword.kwlist)
C = (
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed",
    "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "_Bool",
)  # fmt: skip
CPP = (
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "char8_t", "char16_t", "char32_t", "class", "compl", "concept", "const", "consteval", "constexpr", "constinit",
    "const_cast", "continue", "co_await", "co_return", "co_yield", "decltype", "default", "delete", "do", "double",
    "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "final", "float", "for", "friend", "goto",
    "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator",
    "or", "or_eq", "override", "private", "protected", "public", "register", "reinterpret_cast", "requires", "return",
    "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this",
    "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "union", "unsigned", "using", "virtual",
    "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
)  # fmt: skip
JAVASCRIPT = (
    "as", "async", "await", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete",
    "do", "else", "export", "extends", "false", "finally", "for", "from", "function", "get", "if", "import", "in",
    "instanceof", "let", "new", "null", "of", "return", "set", "static", "super", "switch", "this", "throw", "true",
    "try", "typeof", "var", "void", "while", "with", "yield",
)  # fmt: skip
_ROLES_OF_JAVASCRIPT = {
    **dict.fromkeys(("async", "get", "set", "static"), BEFORE_NAME),
    **dict.fromkeys(("as", "of"), BETWEEN),
    "from": BEFORE_TEXT,
}
TYPESCRIPT = (
    *JAVASCRIPT, "abstract", "accessor", "any", "asserts", "boolean", "declare", "enum", "implements", "infer",
    "interface", "is", "keyof", "module", "namespace", "never", "number", "object", "override", "private", "protected",
    "public", "readonly", "satisfies", "string", "symbol", "type", "unique", "unknown",
)  # fmt: skip
_ROLES_OF_TYPESCRIPT = {
    **_ROLES_OF_JAVASCRIPT,
    **dict.fromkeys(
        (
            "abstract", "accessor", "asserts", "declare", "enum", "implements", "infer", "interface", "keyof", "module",
            "namespace", "override", "private", "protected", "public", "readonly", "type", "unique",
        ),
        BEFORE_NAME,
    ),
    **dict.fromkeys(("is", "satisfies"), BETWEEN),
    **dict.fromkeys(
        ("any", "boolean", "never", "number", "object", "string", "symbol", "unknown"), OF_TYPE
    ),
}  # fmt: skip
RUST = (
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false", "fn",
    "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "Self",
    "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
)  # fmt: skip
GO = (
    "break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go",
    "goto", "if", "import", "interface", "map", "package", "range", "return", "select", "struct", "switch", "type",
    "var",
)  # fmt: skip
JAVA = (
    "abstract", "assert", "boolean", "break", "byte", "case", "catch", "char", "class", "const", "continue", "default",
    "do", "double", "else", "enum", "extends", "false", "final", "finally", "float", "for", "goto", "if", "implements",
    "import", "instanceof", "int", "interface", "long", "native", "new", "null", "package", "permits", "private",
    "protected", "public", "record", "return", "sealed", "short", "static", "strictfp", "super", "switch",
    "synchronized", "this", "throw", "throws",
    "transient", "true", "try", "void", "volatile", "while",
)  # fmt: skip
HASKELL = (
    "as", "case", "class", "data", "default", "deriving", "do", "else", "forall", "foreign", "hiding", "if", "import",
    "in", "infix", "infixl", "infixr", "instance", "let", "module", "newtype", "of", "qualified", "then", "type",
    "where",
)  # fmt: skip
SHELL = (
    "case", "coproc", "declare", "do", "done", "elif", "else", "esac", "export", "fi", "for", "function", "if", "in",
    "local", "readonly", "select", "then", "time", "typeset", "unset", "until", "while",
)  # fmt: skip
RUBY = (
    "alias", "and", "begin", "BEGIN", "break", "case", "class", "def", "defined", "do", "else", "elsif", "end", "END",
    "ensure", "false", "for", "if", "in", "module", "next", "nil", "not", "or", "redo", "rescue", "retry", "return",
    "self", "super", "then", "true", "undef", "unless", "until", "when", "while", "yield", "__ENCODING__", "__FILE__",
    "__LINE__",
)  # fmt: skip
SQL = (
    "add", "after", "all", "alter", "analyze", "and", "any", "array", "as", "asc", "authorization", "before",
    "begin", "between", "bigint", "bit", "boolean", "both", "by", "bytea", "cascade", "case", "cast", "char",
    "character", "check", "collate", "column", "commit", "compression", "concurrently", "conflict", "constraint",
    "copy", "cost", "create", "cross", "cube", "current", "current_catalog", "current_date", "current_role",
    "current_time", "current_timestamp", "current_user", "database", "decimal", "declare", "default", "deferrable",
    "definer", "delete", "desc", "distinct", "do", "domain", "double", "drop", "each", "else", "end", "except",
    "exclude", "execute", "exists", "explain", "extension", "false", "fetch", "filter", "first", "float", "float4",
    "following", "for", "foreign", "from", "full", "function", "grant", "group", "groups", "having", "if", "ilike",
    "immutable", "in", "index", "inherits", "initially", "inner", "insert", "instead", "int", "int2", "int4",
    "int8", "integer", "intersect", "interval", "into", "invoker", "is", "isnull", "isolation", "join", "json",
    "key", "language", "last", "lateral", "leading", "left", "level", "like", "limit", "local", "localtime",
    "localtimestamp", "matched", "materialized", "merge", "natural", "next", "no", "not", "nothing", "notnull",
    "null", "nulls", "numeric", "off", "offset", "on", "only", "operator", "option", "or", "order", "ordinality",
    "out", "outer", "over", "overlaps", "owner", "parallel", "partition", "password", "placing", "policy",
    "preceding", "precision", "prepare", "primary", "privileges", "procedure", "range", "read", "real", "recursive",
    "references", "refresh", "regclass", "rename", "replace", "reset", "restrict", "return", "returning", "returns",
    "revoke", "right", "role", "rollback", "rollup", "rows", "rule", "safe", "savepoint", "schema", "security",
    "select", "sequence", "serial", "session", "session_user", "set", "setof", "sets", "similar", "smallint",
    "some", "stable", "statement", "strict", "symmetric", "table", "tablesample", "temp", "temporary", "text",
    "then", "ties", "timestamptz", "to", "trailing", "transaction", "trigger", "true", "truncate", "unbounded",
    "union", "unique", "unlogged", "update", "user", "using", "vacuum", "values", "varchar", "variadic", "varying",
    "verbose", "view", "volatile", "when", "where", "window", "with", "within", "write", "zone",
)  # fmt: skip

ROLES: dict[str, dict[str, int]] = {
    "haskell": dict.fromkeys(("as", "hiding", "qualified"), IN_IMPORT),
    "java": dict.fromkeys(("permits", "record", "sealed"), BEFORE_NAME),
    "javascript": _ROLES_OF_JAVASCRIPT,
    "shell": {
        **dict.fromkeys(("do", "elif", "else", "if", "then", "time", "until", "while"), BEFORE_COMMAND),
        **dict.fromkeys(("case", "for", "select"), BEFORE_IN),
        "in": IN,
        "function": BEFORE_FUNCTION,
    },
    "typescript": _ROLES_OF_TYPESCRIPT,
}
"""For each language, the roles of keywords that are not keywords anywhere."""

"""The reserved words of each language, and those that are reserved where they stand, such as `async`."""

import keyword

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
TYPESCRIPT = (
    *JAVASCRIPT, "abstract", "accessor", "any", "asserts", "boolean", "declare", "enum", "implements", "infer",
    "interface", "is", "keyof", "module", "namespace", "never", "number", "object", "override", "private", "protected",
    "public", "readonly", "satisfies", "string", "symbol", "type", "unique", "unknown",
)  # fmt: skip
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
    "import", "instanceof", "int", "interface", "long", "native", "new", "null", "package", "private", "protected",
    "public", "return", "short", "static", "strictfp", "super", "switch", "synchronized", "this", "throw", "throws",
    "transient", "true", "try", "void", "volatile", "while",
)  # fmt: skip
HASKELL = (
    "case", "class", "data", "default", "deriving", "do", "else", "foreign", "if", "import", "in", "infix", "infixl",
    "infixr", "instance", "let", "module", "newtype", "of", "then", "type", "where",
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
    "add", "all", "alter", "analyze", "and", "any", "array", "as", "asc", "begin", "between", "both", "by", "case",
    "cast", "check", "collate", "column", "commit", "constraint", "copy", "create", "cross", "current_catalog",
    "current_date", "current_role", "current_time", "current_timestamp", "current_user", "database", "declare",
    "default", "deferrable", "delete", "desc", "distinct", "do", "drop", "else", "end", "except", "exists", "explain",
    "false", "fetch", "for", "foreign", "from", "full", "function", "grant", "group", "having", "if", "ilike", "in",
    "index", "initially", "inner", "insert", "intersect", "into", "is", "isnull", "join", "key", "language", "lateral",
    "leading", "left", "like", "limit", "localtime", "localtimestamp", "natural", "not", "notnull", "null", "offset",
    "on", "only", "or", "order", "outer", "over", "overlaps", "partition", "placing", "primary", "procedure",
    "references", "replace", "returning", "returns", "revoke", "right", "rollback", "select", "session_user", "set",
    "similar", "some", "symmetric", "table", "tablesample", "temp", "temporary", "then", "to", "trailing",
    "transaction", "trigger", "true", "truncate", "union", "unique", "update", "user", "using", "values", "variadic",
    "verbose", "view", "when", "where", "window", "with",
)  # fmt: skip

"""What each character of a program is, in one language: code, comment or string. None of them looks ahead."""

"""The structure of programs: conditions of `if` and bodies of functions, without looking ahead."""

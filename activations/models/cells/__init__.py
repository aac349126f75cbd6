"""The recurrent cells: their equations, and the fast forms of these."""

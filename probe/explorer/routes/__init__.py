"""The addresses of each topic, and what answers them; the server itself has those of reading and ranking."""

"""What a command line says and whether a mode lets it run: readers, tables of programs, path rules, disasters."""

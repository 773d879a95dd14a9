"""Moving a whole store into another one, row by row, whatever the two are made of."""

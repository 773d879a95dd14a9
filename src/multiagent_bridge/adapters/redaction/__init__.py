"""Optional engines of the redactor: RE2 for custom expressions (extra `[re2]`), a second scanner (extra `[scanner]`)."""

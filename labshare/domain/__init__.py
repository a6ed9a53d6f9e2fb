"""Pure rules: frozen structs and functions. No clock, no I/O, no SQL, no HTTP; `now` is passed in."""

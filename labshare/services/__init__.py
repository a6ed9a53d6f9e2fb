"""One function for each thing a person can do: it loads, asks the domain, and saves, in the caller's transaction."""

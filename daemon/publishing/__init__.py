"""Pages for people: HTML files without scripts or outside resources, of values alone."""

"""This checkout of the project measured against another one, both by their command lines alone."""

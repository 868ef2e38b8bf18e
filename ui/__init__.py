"""The window. Nothing here imports torch: it is loaded with the first network, in a thread of its own."""

"""The window. Nothing here imports torch: it loads with the first network, in a thread of its own."""

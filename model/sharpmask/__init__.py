"""DeepMask (arXiv:1506.06204) and SharpMask (arXiv:1603.08695): proposals of objects of any class."""

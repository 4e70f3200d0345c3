"""The hot modules compiled to machine code (mypyc), beside their sources: the same code, at about half the processor time.

Nothing depends on it: without a C compiler, or on another Python than the one that it was built for, the sources run as they are.
"""

"""The life of a request, one file a step. Each takes what an earlier one returned, which is what keeps them in order.

Route matching runs first, because the lane it decides tells whether steps 1 to 8 run at all; step 9 binds the match to its
upstream. `gateway.pipeline` puts them together.
"""

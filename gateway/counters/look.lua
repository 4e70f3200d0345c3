-- Where a user stands. KEYS: rate cell, quota counter. Answers seconds, microseconds, rate cell, quota counter.
local time = redis.call('TIME')
return {tonumber(time[1]), tonumber(time[2]), redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}

-- Takes one unit of quota and one place in the rate, or changes nothing and says why.
-- KEYS: rate cell, quota counter, open reservations.
-- ARGV: period start, period end (Unix seconds), quota limit (-1 unlimited), emission (microseconds), burst, request id,
--       owner, expiry (Unix seconds), then request ids that need not be remembered any longer.
-- Integer microseconds stay below 2^53, so every number here is exact.
local time = redis.call('TIME')
local seconds = tonumber(time[1])
if seconds < tonumber(ARGV[1]) or seconds >= tonumber(ARGV[2]) then
  return {'period', seconds}
end

local used = tonumber(redis.call('GET', KEYS[2]))
if not used then
  return {'unseeded'}
end
local limit = tonumber(ARGV[3])
if limit >= 0 and used >= limit then
  return {'quota', used}
end

local now = seconds * 1000000 + tonumber(time[2])
local emission = tonumber(ARGV[4])
local arrival = tonumber(redis.call('GET', KEYS[1])) or now
if arrival < now then
  arrival = now
end
local next_arrival = arrival + emission
local allowed_at = next_arrival - emission * tonumber(ARGV[5])
if allowed_at > now then
  return {'rate', allowed_at - now}
end

-- The last check and the first write: it fails when the request was settled before this arrived.
if redis.call('HSETNX', KEYS[3], ARGV[6], ARGV[7]) == 0 then
  return {'withdrawn'}
end
redis.call('SET', KEYS[1], string.format('%.0f', next_arrival), 'PX', math.ceil((next_arrival - now) / 1000))
redis.call('INCR', KEYS[2])
if #ARGV > 8 then
  redis.call('HDEL', KEYS[3], unpack(ARGV, 9))
end
redis.call('EXPIREAT', KEYS[3], ARGV[8])
return {'admitted', used + 1, math.floor((now - allowed_at) / emission), next_arrival - now}

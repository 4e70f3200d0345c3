-- Gives a unit of quota back, or takes one that was not taken; each at most once for a request id.
-- KEYS: quota counter, open reservations. ARGV: request id, release or charge, owner, expiry (Unix seconds).
-- A released id stays as '-', so that a reservation which was given up and arrives late is not admitted.
local held = redis.call('HGET', KEYS[2], ARGV[1])
local seeded = redis.call('EXISTS', KEYS[1]) == 1
if ARGV[2] == 'release' then
  if held == '-' then
    return 0
  end
  redis.call('HSET', KEYS[2], ARGV[1], '-')
  redis.call('EXPIREAT', KEYS[2], ARGV[4])
  if held and seeded then
    redis.call('DECR', KEYS[1])
  end
  return 1
end
if held or not seeded then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('EXPIREAT', KEYS[2], ARGV[4])
redis.call('INCR', KEYS[1])
return 1

-- Gives a counter that is not there the ledger's count, and the requests that are on their way.
-- KEYS: quota counter, open reservations. ARGV: count, expiry (Unix seconds), owner, then open request ids.
if redis.call('SETNX', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('EXPIREAT', KEYS[1], ARGV[2])
for index = 4, #ARGV do
  -- One that was released meanwhile is there already, and does not count.
  if redis.call('HSETNX', KEYS[2], ARGV[index], ARGV[3]) == 1 then
    redis.call('INCR', KEYS[1])
  end
end
redis.call('EXPIREAT', KEYS[2], ARGV[2])
return 1

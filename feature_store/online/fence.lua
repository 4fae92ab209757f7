-- One fenced write. KEYS[1] is the fence; the keys written share its hash tag, so they are in its slot.
-- ARGV: the fence before the write, the fence after it, seconds to live ('' for ever), then key, value, key, value …
-- (Keys among the arguments, handed on as they are: a third of the time of building a table from KEYS and ARGV.)
-- Answers 1: applied, 0: was applied before, -1: stale owner, -2: rolled back.
local fence = redis.call('GET', KEYS[1])
if fence == ARGV[2] then return 0 end
if fence ~= ARGV[1] then
  local epoch = string.match(ARGV[1], '^%d+ ')
  return (fence and string.sub(fence, 1, #epoch) == epoch) and -2 or -1
end
if ARGV[3] == '' then
  redis.call('MSET', KEYS[1], ARGV[2], unpack(ARGV, 4))
else
  for n = 4, #ARGV, 2 do redis.call('SET', ARGV[n], ARGV[n + 1], 'EX', ARGV[3]) end
  redis.call('SET', KEYS[1], ARGV[2])
end
return 1

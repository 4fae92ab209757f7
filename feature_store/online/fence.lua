-- One fenced write. KEYS[1] is the fence, KEYS[2..] the keys written, all of one hash slot.
-- ARGV: epoch, sequence, seconds to live ('' for ever), then a value for each key from KEYS[2] on.
-- Answers 1: applied, 0: was applied before, -1: stale owner, -2: rolled back.
local fence = redis.call('GET', KEYS[1])
local epoch, sequence = ARGV[1], tonumber(ARGV[2])
local owner, last = '', '0'
if fence then owner, last = string.match(fence, '^(%d+) (%d+)$') end
if owner ~= epoch then return -1 end
last = tonumber(last)
if last == sequence then return 0 end
if last ~= sequence - 1 then return -2 end
if ARGV[3] == '' then
  local pairs_written = {KEYS[1], epoch .. ' ' .. ARGV[2]}
  for n = 2, #KEYS do
    pairs_written[2 * n - 1] = KEYS[n]
    pairs_written[2 * n] = ARGV[n + 2]
  end
  redis.call('MSET', unpack(pairs_written))
else
  for n = 2, #KEYS do redis.call('SET', KEYS[n], ARGV[n + 2], 'EX', ARGV[3]) end
  redis.call('SET', KEYS[1], epoch .. ' ' .. ARGV[2])
end
return 1

-- Sets a value if what is kept is as expected. KEYS[1] the value's key; ARGV 1
-- what is expected, 2 what is to be kept, each after a "+", or "" for nothing,
-- 3 its time to live in milliseconds. It returns what was there.
local old = redis.pcall('GET', KEYS[1])
if type(old) == 'table' then -- another type of value: nothing of ours
  redis.call('DEL', KEYS[1])
  old = false
end
if (old and '+' .. old or '') == ARGV[1] then
  if ARGV[2] ~= '' then
    redis.call('SET', KEYS[1], string.sub(ARGV[2], 2), 'PX', ARGV[3])
  elseif old then
    redis.call('DEL', KEYS[1])
  end
end
return old

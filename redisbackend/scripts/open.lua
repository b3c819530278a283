-- The beginning of every script on the hash of a database: it makes sure that
-- the hash can be trusted and resolves the fences whose lease has ended.
--
-- KEYS[1]  the hash
-- ARGV     1 a fresh token, 2 the channel, 3 the database's name, escaped,
--          4 and 5 the epoch and version that the caller knows,
--          6 the latest that the caller thinks it can be, "" if it has no idea;
--          then a script's own
--
-- Fields: e epoch and version, which one small read tells, b base token, r run,
-- n number of all fields, f fences, one a line: id, deadline, lease (milliseconds), all ("0" or "1")
-- and caches; c<cache> a token. Names are escaped, so spaces separate them.
local key, fresh = KEYS[1], ARGV[1]

local denied
local function info(section, pattern)
  local text = redis.pcall('INFO', section)
  if type(text) == 'table' then
    -- A server that knows no such section is taken for one that never changes.
    if string.find(text.err, 'NOPERM', 1, true) or string.find(text.err, "can't run this command", 1, true) then
      denied = redis.error_reply('NOPERM the user may not run INFO')
    end
    return ''
  end
  return string.match(text, pattern) or ''
end
if info('replication', 'role:(%a+)') == 'slave' then
  return redis.error_reply('READONLY the server is a replica')
end
-- A server is another one after a restart (run_id), and after it was a replica
-- (master_replid): both may have lost changes.
local run = info('server', 'run_id:(%w+)') .. '/' .. info('replication', 'master_replid:(%w+)')
if denied then return denied end

-- Once a script has written, it is not stopped for want of memory. So a server
-- that is full of values still takes clears, which are small.
local poked = redis.pcall('HDEL', key, '')
if type(poked) == 'table' and not string.find(poked.err, 'WRONGTYPE', 1, true) then return poked end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local head = redis.pcall('HMGET', key, 'e', 'b', 'r', 'n', 'f')
if head.err then head = {} end
local epoch, version = string.match(head[1] or '', '^(%S+) (%d+)$')
local base, fences = head[2], head[5]
version = tonumber(version)
if version and version >= 2 ^ 53 then version = nil end -- it could not be counted on

-- A clock that was set forward must not end the leases of the living. Whoever
-- notices leaves them alone until their owners had time to renew them.
local hold = ARGV[6] ~= '' and now > tonumber(ARGV[6])

local changed = false
local function change()
  if changed then return end
  changed = true
  version = version + 1
end
-- The version makes a token that is delivered twice another one.
local function token() return fresh .. '.' .. string.format('%.0f', version) end

if not (version and base and fences and head[3] == run and tonumber(head[4]) == redis.call('HLEN', key)) then
  redis.call('DEL', key)
  version = math.max(version or 0, tonumber(clock[1]) * 1000000 + tonumber(clock[2]))
  change()
  epoch, base, fences = token(), token(), fences or ''
  redis.call('HSET', key, 'b', base, 'r', run, 'n', 0)
end

-- clear starts new generations of the caches named, and of all if all == '1'.
local function clear(all, names)
  change()
  local t = token()
  if all == '1' then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if string.sub(field, 1, 1) == 'c' then redis.call('HDEL', key, field) end
    end
    base = t
    redis.call('HSET', key, 'b', base)
  end
  for name in string.gmatch(names, '%S+') do redis.call('HSET', key, 'c' .. name, t) end
end

local standing = {}
for line in string.gmatch(fences, '[^\n]+') do
  local id, deadline, lease, all, names = string.match(line, '^(%S+) (%d+) (%d+) ([01])(.*)$')
  if id and #lease < 13 and #deadline < 16 then
    -- No fence stands for longer than its lease, should the clock be set back.
    deadline = math.min(tonumber(deadline), now + tonumber(lease))
    if deadline > now or hold then
      standing[#standing + 1] = { id = id, deadline = deadline, lease = lease, all = all, names = names }
    else
      clear(all, names)
    end
  else
    clear('1', '')
  end
end

-- lift takes the fence id down and reports whether it stood.
local function lift(id)
  for i, fence in ipairs(standing) do
    if fence.id == id then return table.remove(standing, i) end
  end
end

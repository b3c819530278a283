-- The beginning of every script on the hash of a database: it makes sure that
-- the hash can be trusted and resolves the fences whose lease has ended.
--
-- KEYS[1]  the hash
-- ARGV     1 a fresh token, 2 the channel, 3 the database as it is announced,
--          4 and 5 the epoch and version that the caller knows,
--          6 the lines of fences that the caller has seen for a whole lease;
--          then a script's own
--
-- Fields: e epoch and version, which one small read tells, b base token, r run,
-- n number of all fields, f fences, one a line: id, deadline (by the server's
-- clock, for people to read), lease (milliseconds), all ("0" or "1"), "!" with
-- the token of the last renewal, and caches; c<cache> a token. Names are
-- escaped, so spaces separate them.
local key, fresh = KEYS[1], ARGV[1]

local denied
local function info(section)
  local text = redis.pcall('INFO', section)
  if type(text) ~= 'table' then return text end
  if string.find(text.err, 'NOPERM', 1, true) or string.find(text.err, "can't run this command", 1, true) then
    denied = redis.error_reply('NOPERM the user may not run INFO')
  end
  return ''
end
local function field(text, name)
  return string.match('\n' .. text .. '\n', '\n' .. name .. ':[ \t]*([^\r\n]-)[ \t]*[\r\n]') or ''
end
-- Servers that only look like Redis have roles in which they take writes that
-- get lost, such as active-replica.
local replication = info('replication')
local role = string.lower(field(replication, 'role'))
if role ~= '' and role ~= 'master' then
  return redis.error_reply('READONLY the server is ' .. (role == 'slave' and 'a replica' or 'no master, its role is ' .. role))
end
-- A server is another one after a restart (run_id), and after it was a replica
-- (master_replid): both may have lost changes. One that does not tell both, and
-- that it is a master, may be another at any time: its run has a part missing.
local run = role == '' and '' or field(info('server'), 'run_id')
run = run .. '/' .. field(replication, 'master_replid')
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

-- A fence lapses when a process has seen the very same line for a whole lease,
-- by its own clock: then its owner has not renewed it. What the server's clock
-- shows, which may be set, does not matter.
local overdue = '\n' .. ARGV[6] .. '\n'
local standing = {}
for line in string.gmatch(fences, '[^\n]+') do
  local id, deadline, lease, all, names = string.match(line, '^(%S+) (%d+) (%d+) ([01])(.*)$')
  if not id or #lease > 13 or #deadline > 15 then
    clear('1', '')
  else
    names = string.gsub(names, '^ !%S*', '')
    if string.find(overdue, '\n' .. line .. '\n', 1, true) then
      clear(all, names)
    else
      standing[#standing + 1] = { id = id, all = all, names = names, line = line }
    end
  end
end

-- lift takes the fence id down and reports whether it stood.
local function lift(id)
  for i, fence in ipairs(standing) do
    if fence.id == id then return table.remove(standing, i) end
  end
end

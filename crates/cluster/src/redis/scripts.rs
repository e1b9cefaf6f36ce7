//! The Lua scripts. Each is one atomic step.
//!
//! `redis.pcall` returns an error as a table, so that a key of another type counts as a key without a usable value.
//! Numbers are compared as numbers: Lua's are doubles, exact below 2^53.

/// Functions at the beginning of the scripts: the text of a key or `false`, and a whole number below 2^53 or 0.
macro_rules! with_helpers {
    ($script:literal) => {
        concat!(
            "\
local function text(key)
  local value = redis.pcall('GET', key)
  if type(value) == 'string' then return value end
  return false
end
local function whole(value)
  if type(value) ~= 'string' or #value > 16 or not string.find(value, '^%d+$') then return 0 end
  local number = tonumber(value)
  if number < 9007199254740992 then return number end
  return 0
end
",
            $script
        )
    };
}

/// Grants the lease to its holder, or to the first server that asks when there is none. A new holder gets a token
/// larger than all before. Tokens are milliseconds of Redis' clock where that is larger, so that they rise even when
/// all keys are lost. A server that serves something else than the group gets nothing, unless the group serves the
/// same kind of data and no producer has renewed it for a while.
///
/// KEYS: lease, fence, group. ARGV: id, expiry of the lease (ms), -, group, expiry of the group (s), rest of a group
/// (s), longest expiry of a lease (ms). Returns the token (0: not granted), the group, and the keys that were ignored.
pub(super) const TAKE: &str = with_helpers!(
    "\
local ignored = ''
local holder = text(KEYS[1])
if holder then
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 or left > tonumber(ARGV[7]) then holder = false end
end
if not holder and redis.call('EXISTS', KEYS[1]) == 1 then ignored = ignored .. ' lease' end
local group = text(KEYS[3])
local kind = group and #group <= 400 and string.match(group, '^(%l+) [%w,_-]+ model=%x+$')
if not kind then
  if redis.call('EXISTS', KEYS[3]) == 1 then ignored = ignored .. ' group' end
  group = false
end
if group and group ~= ARGV[4] then
  local age = tonumber(ARGV[5]) - redis.call('TTL', KEYS[3])
  if holder or kind ~= string.match(ARGV[4], '^%l+') or age < tonumber(ARGV[6]) then
    return {0, group, ignored}
  end
end
if holder and holder ~= ARGV[1] then return {0, group or '', ignored} end
local last = whole(text(KEYS[2]))
if last == 0 and redis.call('EXISTS', KEYS[2]) == 1 then ignored = ignored .. ' fence' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[5])
if holder and last > 0 then return {last, ARGV[4], ignored} end
local time = redis.call('TIME')
local token = time[1] * 1000 + math.floor(time[2] / 1000)
if last >= token and last + 1 < 9007199254740992 then token = last + 1 end
redis.call('SET', KEYS[2], string.format('%.0f', token))
return {token, ARGV[4], ignored}"
);

/// Extends the lease, if no other server took it. Keys, arguments and result as for `TAKE`; ARGV 3 is the token.
pub(super) const RENEW: &str = with_helpers!(
    "\
if text(KEYS[1]) ~= ARGV[1] or whole(text(KEYS[2])) ~= tonumber(ARGV[3]) then
  return {0, text(KEYS[3]) or '', ''}
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[5])
return {tonumber(ARGV[3]), ARGV[4], ''}"
);

/// Ends the lease, if it is ours. Keys, arguments and result as for `TAKE`.
pub(super) const GIVE_UP: &str = with_helpers!(
    "\
if text(KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {0, text(KEYS[3]) or '', ''}"
);

/// Publishes one message and stores the whole state, both or none, and only under the newest token. Without a new whole
/// state the stored one must be the one that this producer wrote: its length and its first bytes are compared.
///
/// KEYS: fence, state. ARGV: token, channel, message, whole state or '', expiry (s), length, first bytes. Returns -1
/// when there is a newer token, -2 when the stored state is another one; else the number of subscribers.
pub(super) const PUBLISH: &str = with_helpers!(
    "\
if whole(text(KEYS[1])) ~= tonumber(ARGV[1]) then return -1 end
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
else
  if redis.pcall('STRLEN', KEYS[2]) ~= tonumber(ARGV[6]) then return -2 end
  if redis.call('GETRANGE', KEYS[2], 0, #ARGV[7] - 1) ~= ARGV[7] then return -2 end
  redis.call('EXPIRE', KEYS[2], ARGV[5])
end
return redis.call('PUBLISH', ARGV[2], ARGV[3])"
);

/// Publishes a change of channels, only under the newest token. KEYS: fence. ARGV: token, channel, message. Returns -1
/// when there is a newer token, else the number of subscribers.
pub(super) const PUBLISH_CHANNEL: &str = with_helpers!(
    "\
if whole(text(KEYS[1])) ~= tonumber(ARGV[1]) then return -1 end
return redis.call('PUBLISH', ARGV[2], ARGV[3])"
);

/// Stores the symbol list, under the newest token. KEYS: fence, list. ARGV: token, list, expiry (s).
pub(super) const WRITE_LIST: &str = with_helpers!(
    "\
if whole(text(KEYS[1])) ~= tonumber(ARGV[1]) then return -1 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 0"
);

/// Reads values whose size is checked first. ARGV: largest size. Returns for each key its size (0: missing, -1: not a
/// string) and its value (the error where it is not a string, nothing where it is too large).
pub(super) const READ: &str = "\
local values = {}
for index, key in ipairs(KEYS) do
  local size = redis.pcall('STRLEN', key)
  if type(size) ~= 'number' then values[index] = {-1, size['err'] or 'not a string'}
  elseif size == 0 or size > tonumber(ARGV[1]) then values[index] = {size, ''}
  else values[index] = {size, redis.call('GET', key)} end
end
return values";

-- Written by `tally gateway snippet haproxy-lua`: /etc/haproxy/tally.lua
local identity = { "x-l402-subject", "x-l402-links", "x-l402-route", "x-l402-cost", "x-l402-expires", "x-l402-body" }

-- Of the client's connection, or of its body.
local left_out = {}
for _, name in ipairs({ "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-authorization",
  "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade" }) do
  left_out[name] = true
end

-- HAProxy counts the values of a header from 0.
local function each(values, visit)
  local i = 0
  while values[i] ~= nil do
    visit(values[i])
    i = i + 1
  end
end

local function question(txn)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not left_out[name] then
      local list = {}
      each(values, function(value) list[#list + 1] = value end)
      headers[name] = list
    end
  end
  headers["x-forwarded-method"] = { txn.f:method() }
  headers["x-forwarded-uri"] = { txn.f:pathq() }
  return headers
end

local function refuse(txn, response)
  local status = response.status or 0
  if status < 400 then status = 503 end
  local reply = txn:reply({ status = status })
  for name, values in pairs(response.headers or {}) do
    if not left_out[name] then
      each(values, function(value) reply:add_header(name, value) end)
    end
  end
  if txn.f:method() ~= "HEAD" then reply:set_body(response.body or "") end
  txn:done(reply)
end

core.register_action("tally", { "http-req" }, function(txn, gateway, gate)
  txn:set_var("txn.tally", "denied")
  local url = "http://" .. gateway .. "/authz/forward/" .. gate
  local response = core.httpclient():get({ url = url, headers = question(txn), timeout = 10000 })
  local said = response.headers or {}
  if response.status ~= 200 or said["x-l402-route"] == nil then return refuse(txn, response) end
  for _, name in ipairs(identity) do
    txn.http:req_set_header(name, said[name] and said[name][0] or "-")
  end
  txn:set_var("txn.tally", "allowed")
end, 2)

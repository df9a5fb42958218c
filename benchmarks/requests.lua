-- Sends what stands in a file, one request a line, over and over: path, tab, JSON body.
-- wrk -s requests.lua URL -- FILE AUTHORIZATION
local requests = {}
local last = 0

function init(arguments)
   local headers = { ["Content-Type"] = "application/json", ["Authorization"] = arguments[2] }
   for line in io.lines(arguments[1]) do
      local path, body = line:match("^([^\t]*)\t(.*)$")
      requests[#requests + 1] = wrk.format("POST", path, headers, body)
   end
end

function request()
   last = last % #requests + 1
   return requests[last]
end

function done(summary)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   io.write(string.format("\nRESULT %d %d %d\n", summary.requests, summary.duration, failed))
end

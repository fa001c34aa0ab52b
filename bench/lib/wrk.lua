-- Reports as JSON, and asks for the paths of a file, if one is named, in turn; a path may have a Range after a tab.

local requests, position = nil, 0

function init(arguments)
   if not arguments[1] then return end
   requests = {}
   for line in io.lines(arguments[1]) do
      local path, range = line:match("^([^\t]+)\t?(.*)$")
      local headers = {}
      for name, value in pairs(wrk.headers) do headers[name] = value end
      if range ~= "" then headers["Range"] = range end
      requests[#requests + 1] = wrk.format(nil, path, headers)
   end
   function request()
      position = position % #requests + 1
      return requests[position]
   end
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\nJSON {"requests": %d, "seconds": %.6f, "bytes": %d, "p50": %.6f, "p99": %.6f, "failures": %d}\n',
      summary.requests, summary.duration / 1e6, summary.bytes,
      latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end

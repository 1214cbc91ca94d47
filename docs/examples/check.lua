-- check.lua - for wrk: compares status and body of every answer, and reports on one line for demo.
--   wrk ... -s check.lua URL -- STATUS BODY

local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   expected_status = tonumber(args[1])
   expected_body = args[2]
   checked, wrong = 0, 0
end

function response(status, headers, body)
   checked = checked + 1
   if status ~= expected_status or body ~= expected_body then
      wrong = wrong + 1
   end
end

function done(summary, latency, requests)
   local checked, wrong = 0, 0
   for _, thread in ipairs(threads) do
      checked = checked + thread:get("checked")
      wrong = wrong + thread:get("wrong")
   end
   local e = summary.errors
   io.write(string.format(
      "RESULT requests=%d checked=%d wrong=%d us=%d p50=%d p90=%d p99=%d p999=%d max=%d " ..
      "connect=%d read=%d write=%d status=%d timeout=%d\n",
      summary.requests, checked, wrong, summary.duration,
      latency:percentile(50), latency:percentile(90), latency:percentile(99),
      latency:percentile(99.9), latency.max,
      e.connect, e.read, e.write, e.status, e.timeout))
end

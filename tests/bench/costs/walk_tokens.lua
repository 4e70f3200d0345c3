-- For wrk. Arguments: a file with a token on each line, and the number of the one to begin with.
local requests, position = {}, 0

function init(args)
  position = tonumber(args[2])
  for token in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", nil, { Authorization = "Bearer " .. token })
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

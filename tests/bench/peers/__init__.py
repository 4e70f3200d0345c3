"""APIGate beside other gateways: the same machine, the same upstream, the same load, one worker each."""

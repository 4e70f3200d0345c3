"""Traffic to the containers, chosen by host name."""
